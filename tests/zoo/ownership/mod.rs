//! The ownership tier: security bugs as tables of handles whose generations are checked. Written against `rt` alone.

use super::rt::Program;

/// In the order of their numbers.
pub const ALL: &[Program] = &[];
