//! The store that control planes keep their desired and actual state in: an API server as a mechanism.
//!
//! Versioned entries by (kind, name), one index for the whole store. It knows no controller and no kind.

mod entry;

pub use entry::{Entry, Key};
