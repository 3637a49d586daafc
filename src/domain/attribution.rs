//! Whom a conversion can be credited to, and by what: the parameters that say so, and what an
//! operator has set up for those that need no click (wire.md 5, design.md 5). Which of several
//! claims wins is decided in `judgement/`.

use super::configuration::Link;
use super::time::Timestamp;
use super::verdict::words;

words! {
    /// A parameter that says whom to credit, by its canonical name.
    Way {
        /// The click.
        ClickId = "click_id",
        /// A coupon's code.
        Coupon = "coupon",
        /// A customer who belongs to an affiliate for life.
        CustomerId = "customer_id",
        /// A link, or the affiliate whose default link is meant.
        RefId = "ref_id",
        /// The operator's own number of an affiliate.
        RefCustomId = "ref_custom_id",
        /// An affiliate.
        AffiliateId = "affiliate_id",
    }
}

/// By what a campaign credits unless its operator says otherwise, the strongest first. Coupons and
/// customers take effect only once an operator has made some; naming a link or affiliate outright
/// would let every sender choose whom to pay, so that it has to be added.
pub const DEFAULT_ORDER: [Way; 3] = [Way::ClickId, Way::Coupon, Way::CustomerId];

/// The most characters of a coupon's code and of an affiliate's custom id. What is longer is not
/// looked up.
pub const MAX_CODE: usize = 128;

/// Whom something credits: an affiliate, by one of its links of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credited {
    /// The affiliate.
    pub affiliate_id: u32,
    /// The link.
    pub ref_id: u32,
}

impl From<Link> for Credited {
    fn from(link: Link) -> Self {
        Self { affiliate_id: link.affiliate_id, ref_id: link.id }
    }
}

/// A coupon of a campaign that is not archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coupon {
    /// Its code as the operator wrote it; ASCII letters are compared without regard to case.
    pub code: String,
    /// Its owner.
    pub credited: Credited,
    /// From when on it is valid; always, if nothing is said.
    pub starts_at: Option<Timestamp>,
    /// Until when, not included.
    pub ends_at: Option<Timestamp>,
}

impl Coupon {
    /// Whether it is valid at a time.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.starts_at.is_none_or(|start| start <= time)
            && self.ends_at.is_none_or(|end| time < end)
    }

    /// When it is valid, for people: `from … until …`.
    pub fn period(&self) -> String {
        let bound = |word: &str, time: Option<Timestamp>| {
            time.map(|time| format!("{word} {}", time.to_rfc3339()))
        };
        let bounds = [bound("from", self.starts_at), bound("until", self.ends_at)];
        bounds.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A customer of a campaign who is known by a `customer_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The number of the profile, by which explanations name the person.
    pub id: u64,
    /// To whom the customer belongs for life, if to anybody.
    pub credited: Option<Credited>,
}

/// What became of looking up something that a postback names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sought<T> {
    /// It was not looked up: not sent, or not permitted.
    #[default]
    Unasked,
    /// The store did not answer.
    Unanswered,
    /// There is none.
    Absent,
    /// Here it is.
    Found(T),
}

impl<T> Sought<T> {
    /// What follows from what was found.
    pub fn and_then<U>(self, find: impl FnOnce(T) -> Sought<U>) -> Sought<U> {
        match self {
            Self::Unasked => Sought::Unasked,
            Self::Unanswered => Sought::Unanswered,
            Self::Absent => Sought::Absent,
            Self::Found(found) => find(found),
        }
    }
}

/// What memory knows of those whom a postback names besides its click and customer.
#[derive(Clone, Debug, Default)]
pub struct Parties {
    /// The coupon.
    pub coupon: Sought<Coupon>,
    /// The link of `ref_id`, or the default link of the affiliate that it means.
    pub ref_id: Sought<Link>,
    /// The default link of the affiliate of `ref_custom_id`.
    pub ref_custom_id: Sought<Link>,
    /// The default link of the affiliate of `affiliate_id`.
    pub affiliate_id: Sought<Link>,
}

/// The ways of a campaign from their names, the strongest first. What this version does not know
/// is left out; the click is always among them, because its id was handed out as a promise.
pub fn order_of<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Way> {
    let mut order: Vec<Way> = Vec::new();
    for way in names.into_iter().filter_map(Way::from_word) {
        if !order.contains(&way) {
            order.push(way);
        }
    }
    if order.contains(&Way::ClickId) { order } else { DEFAULT_ORDER.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coupon_is_valid_from_its_start_until_before_its_end() {
        let coupon = |starts_at: Option<u64>, ends_at: Option<u64>| Coupon {
            code: "SPRING".to_owned(),
            credited: Credited { affiliate_id: 1, ref_id: 2 },
            starts_at: starts_at.map(Timestamp::from_ms),
            ends_at: ends_at.map(Timestamp::from_ms),
        };
        let valid = |coupon: Coupon| -> Vec<u64> {
            (0..5).filter(|ms| coupon.is_valid_at(Timestamp::from_ms(*ms))).collect()
        };
        assert_eq!(valid(coupon(None, None)), [0, 1, 2, 3, 4]);
        assert_eq!(valid(coupon(Some(1), None)), [1, 2, 3, 4]);
        assert_eq!(valid(coupon(None, Some(3))), [0, 1, 2]);
        assert_eq!(valid(coupon(Some(1), Some(3))), [1, 2]);
        assert_eq!(
            coupon(Some(0), Some(1_000)).period(),
            "from 1970-01-01T00:00:00.000Z until 1970-01-01T00:00:01.000Z"
        );
    }

    #[test]
    fn an_order_that_cannot_be_read_is_the_default() {
        assert_eq!(order_of([]), DEFAULT_ORDER);
        assert_eq!(order_of(["coupon", "nonsense"]), DEFAULT_ORDER);
        let read = order_of(["ref_id", "nonsense", "click_id", "ref_id"]);
        assert_eq!(read, [Way::RefId, Way::ClickId]);
    }
}
