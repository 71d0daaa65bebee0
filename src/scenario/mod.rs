//! Scenarios: TOML files that put a system into a world and say how that must end.
//!
//! A [`System`] is what a file can name; a [`Registry`] holds the systems that are known; a [`Scenario`] is a file that
//! was read; a [`Judgement`] is its sweep, set against what the file expects. Every mistake in a file is an error with
//! line, column, what is allowed and the nearest word. Nothing here prints, and nothing here knows the command line.

mod document;
mod expect;
mod file;
mod graph;
mod judge;
mod shipped;
mod system;
mod workload;

pub use document::{Document, SIZE_MAX};
pub use expect::Expect;
pub use file::Scenario;
pub use graph::Graph;
pub use judge::{Judgement, Regression};
pub use system::{Broken, Registry, Section, Subject, System};
pub use workload::{Controller, WorkloadSystem};
