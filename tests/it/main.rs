//! The one test binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod agent;
#[cfg(feature = "cli")]
mod cli;
mod composition;
mod controller;
mod core;
mod detect;
mod graph;
mod guided;
mod host;
mod pages;
mod plan;
mod plugin;
mod props;
mod readme;
mod scenarios;
mod store;
mod sync;
mod tidy;
mod zoo;
