//! The classic tier: the programs that schedule search is measured by in the literature. Written against `rt` alone.

use super::rt::Program;

mod reorder;

/// In the order of the literature's tables.
pub const ALL: &[Program] =
    &[program!(Classic, "reorder_3", "SCTBench reorder_3", "panicked", |twin| reorder::reorder(2, twin))];
