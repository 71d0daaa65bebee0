//! The control-plane tier: controllers, executors and operators in small, with virtual time, a store and faults.

use super::Program;

/// All of them.
pub const ALL: &[Program] = &[];
