//! One conversion of the model: its status, its money, and what may become of both. Written from
//! the documents, in another way than the code; it shares nothing with it.

use super::step::{REFUNDED, Sent};

/// `numerator ÷ denominator`, halves away from zero; nothing here is negative.
pub fn rounded(numerator: i64, denominator: i64) -> i64 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    whole + i64::from(rest * 2 >= denominator)
}

/// A refund that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    id: Option<u8>,
    asked: Option<i64>,
    /// What it took of the amount, in cents of the sale's currency.
    pub cents: i64,
}

/// A conversion as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Sale {
    /// Which of the requests made it.
    pub request: usize,
    /// When that arrived.
    pub at: u64,
    pub click: usize,
    pub event: u32,
    pub order: Option<u8>,
    pub affiliate: u32,
    pub is_austrian: bool,
    pub has_goal: bool,
    /// A place among the statuses.
    pub status: usize,
    /// Revenue and payout without any refund, in cents.
    pub whole: [i64; 2],
    pub milli: Option<u32>,
    pub currency: usize,
    /// In ten-thousandths, if it was converted.
    pub rate: Option<i64>,
    pub parts: Vec<Part>,
    /// Status, revenue and payout that the first answer named.
    pub first: (usize, [i64; 2]),
    /// Whether an operator changed it last.
    pub is_operators: bool,
    /// What the requests that made and changed it said.
    pub heard: Vec<Sent>,
    /// How often it was changed.
    pub changes: u64,
}

impl Sale {
    /// The amount in cents of its own currency.
    pub fn amount(&self) -> Option<i64> {
        self.milli.map(|milli| rounded(i64::from(milli), 10))
    }

    /// What was refunded in parts. A refund of the rest is none of them: that the sale does not
    /// count is what its status says.
    pub fn refunded(&self) -> i64 {
        let parts = self.parts.len() - usize::from(self.status == REFUNDED);
        self.parts[..parts].iter().map(|part| part.cents).sum()
    }

    /// Revenue and payout now.
    pub fn money(&self) -> [i64; 2] {
        match (self.refunded(), self.amount()) {
            (0, _) | (_, None) => self.whole,
            (refunded, Some(amount)) => {
                self.whole.map(|whole| whole - rounded(whole * refunded, amount))
            }
        }
    }

    /// Sets a status other than refunded.
    pub fn becomes(&mut self, status: usize, by_operator: bool) -> Result<(), &'static str> {
        const APPROVED: usize = 0;
        const PENDING: usize = 1;
        const HOLD: usize = 2;
        const REJECTED: usize = 3;
        let is_allowed = match (self.status, status) {
            (from, to) if from == to => return Ok(()),
            (_, APPROVED) => self.status != REFUNDED || by_operator,
            (PENDING | HOLD, _) | (APPROVED, HOLD | REJECTED) => true,
            (APPROVED | REJECTED, _) => by_operator,
            _ => false,
        };
        if !is_allowed {
            return Err("invalid_transition");
        }
        if self.status == REFUNDED {
            self.parts.clear();
        }
        self.status = status;
        Ok(())
    }

    /// Refunds so many cents, or all that is left.
    pub fn refund(
        &mut self,
        id: Option<u8>,
        asked: Option<i64>,
        may_exceed: bool,
    ) -> Result<(), &'static str> {
        if asked.is_some() && self.milli.is_none() {
            return Err("invalid_parameter");
        }
        let is_refunded = self.status == REFUNDED;
        let namesakes: Vec<&Part> = self.parts.iter().filter(|part| part.id == id).collect();
        if namesakes.iter().any(|part| part.asked == asked) || asked.is_none() && is_refunded {
            return Ok(());
        }
        if !namesakes.is_empty() && (id.is_some() || asked.is_some()) {
            return Err("conflict");
        }
        if self.status != 0 && !is_refunded {
            return Err("invalid_transition");
        }
        let taken: i64 = self.parts.iter().map(|part| part.cents).sum();
        let left = self.amount().unwrap_or(0) - taken;
        let cents = asked.unwrap_or(left);
        if is_refunded || cents > left && !may_exceed {
            return Err("refund_too_large");
        }
        self.parts.push(Part { id, asked, cents });
        if cents == left {
            self.status = REFUNDED;
        }
        Ok(())
    }
}
