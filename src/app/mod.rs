//! What happens: one function per use case, over ports whose docs state the guarantee.
//!
//! Sequence and repeatability live here. Not here: decisions (`domain/`), SQL (`store/`), status
//! codes (`http/`), the platform (`edge/`).

pub mod settings;
