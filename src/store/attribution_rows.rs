//! Coupons and custom ids, as SQL reads them and as the copies keep them.

use super::row::rows;
use super::{Statement, Value};
use crate::domain::attribution::{Coupon, Credited};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// The statement that reads a coupon. Its column compares ASCII letters without regard to case.
pub(super) fn select_coupon(namespace: &Namespace, campaign_id: u32, code: &str) -> Statement {
    let parameters: Vec<Value> = vec![namespace.as_str().into(), campaign_id.into(), code.into()];
    Statement::new(
        "SELECT code, affiliate_id, ref_id, starts_at, ends_at FROM coupons INDEXED BY coupons_code \
         WHERE namespace = ?1 AND campaign_id = ?2 AND code = ?3 AND state = 'active'",
        parameters,
    )
}

/// The statement that reads whose custom id it is.
pub(super) fn select_custom_id(namespace: &Namespace, custom_id: &str) -> Statement {
    Statement::new(
        "SELECT id FROM affiliates INDEXED BY affiliates_custom_id \
         WHERE namespace = ?1 AND custom_id = ?2",
        vec![namespace.as_str().into(), custom_id.into()],
    )
}

rows! {
    pub(super) struct CouponRow {
        code: String,
        affiliate_id: u32,
        ref_id: u32,
        starts_at: Option<u64>,
        ends_at: Option<u64>,
    }
}

impl CouponRow {
    /// The coupon. `None` if it is another one's: copies are found by a hash of the code.
    pub(super) fn value(self, wanted: &str) -> Option<Coupon> {
        let is_it = self.code.eq_ignore_ascii_case(wanted);
        is_it.then(|| Coupon {
            code: self.code,
            credited: Credited { affiliate_id: self.affiliate_id, ref_id: self.ref_id },
            starts_at: self.starts_at.map(Timestamp::from_ms),
            ends_at: self.ends_at.map(Timestamp::from_ms),
        })
    }
}
