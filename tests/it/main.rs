//! The one test binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod core;
mod graph;
mod props;
mod readme;
mod sync;
mod tidy;
