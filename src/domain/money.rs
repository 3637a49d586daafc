//! Money: integer minor units and a currency, percentages in basis points. Never a float.
//!
//! The one rounding rule is half away from zero; amounts here are never negative, so that is
//! half up. Amounts stay below 2^53, which D1 stores exactly.

use super::encoding::push_padded;

#[cfg(test)]
mod tests;

/// The largest amount in minor units: D1 binds numbers as doubles, exact below 2^53.
pub const MAX_MINOR: i64 = (1 << 53) - 1;

/// The active codes of ISO 4217 with two minor digits. Precious metals, test and no-currency
/// codes are left out, and so are CLF and UYW, whose four digits nobody charges in.
const TWO_DIGITS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP \
    BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ \
    GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK \
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR \
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS \
    VED VES WST XCD XCG YER ZAR ZMW ZWG";
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// A currency of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    digits: u8,
}

impl Currency {
    /// A currency by its code, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        let code = code.map(|letter| letter.to_ascii_uppercase());
        let lists = [(NO_DIGITS, 0), (TWO_DIGITS, 2), (THREE_DIGITS, 3)];
        // Three letters and a space each; every postback with a currency comes by here.
        let (_, digits) = lists
            .into_iter()
            .find(|(codes, _)| codes.as_bytes().chunks(4).any(|c| c.starts_with(&code)))?;
        Some(Self { code, digits })
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many digits follow the point: 0, 2 or 3.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// An amount as people write it: `500` minor units of USD are `5.00`.
    pub fn format(&self, minor: i64) -> String {
        let unit = 10u64.pow(u32::from(self.digits));
        let mut text = String::with_capacity(12);
        if minor < 0 {
            text.push('-');
        }
        let minor = minor.unsigned_abs();
        push_padded(&mut text, minor / unit, 1);
        if self.digits > 0 {
            text.push('.');
            push_padded(&mut text, minor % unit, self.digits.into());
        }
        text
    }
}

/// Digits after the point that [`Decimal`] keeps: the most that a rate may have.
const SCALE: u32 = 10;
const ONE: u128 = 10u128.pow(SCALE);

/// A non-negative decimal number as sent: up to 12 digits before the point and 10 after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u128);

impl Decimal {
    /// Reads `[0-9]{1,12}(\.[0-9]{1,6})?` (wire.md 2): no sign, exponent or comma.
    pub fn parse_amount(text: &str) -> Option<Self> {
        Self::parse(text, 6)
    }

    /// Reads a conversion rate: like an amount, with up to 10 decimals, above zero.
    pub fn parse_rate(text: &str) -> Option<Self> {
        Self::parse(text, SCALE as usize).filter(|rate| rate.0 > 0)
    }

    fn parse(text: &str, max_decimals: usize) -> Option<Self> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 12 || fraction.len() > max_decimals {
            return None;
        }
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let whole: u128 = whole.parse().ok()?;
        let missing_digits = SCALE.checked_sub(u32::try_from(fraction.len()).ok()?)?;
        let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        Some(Self(whole * ONE + fraction * 10_u128.pow(missing_digits)))
    }

    /// This many of a currency in minor units, and whether digits had to be rounded away.
    /// `None` beyond [`MAX_MINOR`].
    pub fn to_minor(self, currency: Currency) -> Option<(i64, bool)> {
        // The largest: 10^22 × 10^3 is far below 2^128.
        let scaled = self.0 * 10u128.pow(u32::from(currency.digits));
        let minor = (scaled + ONE / 2) / ONE;
        Some((in_range(minor)?, !scaled.is_multiple_of(ONE)))
    }

    /// This amount in another currency, of which one unit costs `1 / rate`.
    /// `None` beyond [`MAX_MINOR`].
    pub fn converted(self, rate: Self, to: Currency) -> Option<(i64, bool)> {
        // The largest: 10^22 × 10^22 would overflow with the digits on top, hence checked.
        let scaled = self.0.checked_mul(rate.0)?.checked_mul(10u128.pow(u32::from(to.digits)))?;
        let unit = ONE * ONE;
        let minor = scaled.checked_add(unit / 2)? / unit;
        Some((in_range(minor)?, !scaled.is_multiple_of(unit)))
    }

    /// The shortest way to write the number; equal numbers are written equally.
    pub fn normalised(self) -> String {
        let (whole, fraction) = (self.0 / ONE, self.0 % ONE);
        let mut text = whole.to_string();
        if let Some(mut fraction) = u64::try_from(fraction).ok().filter(|fraction| *fraction > 0) {
            let mut width = SCALE;
            while fraction.is_multiple_of(10) {
                (fraction, width) = (fraction / 10, width - 1);
            }
            text.push('.');
            push_padded(&mut text, fraction, width);
        }
        text
    }
}

fn in_range(minor: u128) -> Option<i64> {
    i64::try_from(minor).ok().filter(|minor| *minor <= MAX_MINOR)
}

/// Hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasisPoints(pub u32);

impl BasisPoints {
    /// Reads a percentage such as `12.5`; at most 100 and two decimals.
    pub fn parse_percent(text: &str) -> Option<Self> {
        let hundredths = Decimal::parse(text, 2)?.0 / (ONE / 100);
        u32::try_from(hundredths).ok().filter(|bp| *bp <= 10_000).map(Self)
    }

    /// The percentage as people write it: `1250` is `12.5`.
    pub fn to_percent(self) -> String {
        Decimal(u128::from(self.0) * (ONE / 100)).normalised()
    }

    /// This share of an amount in minor units, rounded half away from zero.
    pub fn of(self, minor: i64) -> i64 {
        let product = i128::from(minor) * i128::from(self.0);
        let rounded = (product.abs() + 5_000) / 10_000 * product.signum();
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }
}

crate::domain::verdict::words! {
    /// How revenue or payout is reckoned. Types differ in the base of the percentage.
    MoneyType {
        /// A fixed amount per action.
        Cpa = "cpa",
        /// A fixed amount per lead; an amount that was sent is ignored.
        Cpl = "cpl",
        /// A fixed amount.
        Fixed = "fixed",
        /// A percentage of the amount.
        Cps = "cps",
        /// A percentage of the revenue.
        Revshare = "revshare",
    }
}

/// What a campaign pays or earns for a conversion: a fixed part and a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What the percentage is of.
    pub kind: MoneyType,
    /// The fixed part in minor units of the campaign's currency.
    pub fixed_minor: i64,
    /// The percentage.
    pub percent: BasisPoints,
}

impl Rule {
    /// Whether the rule needs an amount (or commission) to be sent.
    pub fn needs_amount(&self) -> bool {
        self.percent.0 > 0 && !matches!(self.kind, MoneyType::Cpl | MoneyType::Revshare)
    }

    /// The money of one conversion. `base` is commission, else amount, in minor units; `revenue`
    /// is what a percentage of `revshare` is taken of. `None` beyond [`MAX_MINOR`].
    pub fn reckon(&self, base: Option<i64>, revenue: i64) -> Option<i64> {
        let share_of = match self.kind {
            MoneyType::Revshare => revenue,
            MoneyType::Cpl => 0,
            MoneyType::Cpa | MoneyType::Fixed | MoneyType::Cps => base.unwrap_or(0),
        };
        let sum = self.fixed_minor.checked_add(self.percent.of(share_of))?;
        Some(sum).filter(|sum| *sum <= MAX_MINOR)
    }
}
