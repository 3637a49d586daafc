//! The choice of payout rules, by tables.
