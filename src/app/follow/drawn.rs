//! What is made of the random bytes of a click.

/// The name of a page: 48 bits.
pub(super) fn page_name(random: [u8; 32]) -> u64 {
    random.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> 16
}

/// Ten digits for the macro `{random}`.
pub(super) fn random_digits(random: [u8; 32]) -> String {
    let number = random.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    format!("{:010}", number % 10_000_000_000)
}
