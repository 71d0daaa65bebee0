//! The orchestration systems under test, each a folder with the same file names. They are written on the
//! facade only and know nothing of checks, scenarios or the command line.

mod boxed;
mod variant;
mod workload;
pub mod graph;
pub mod controller;
pub mod agent;
pub mod plan;
pub mod plugin;
pub mod composition;

pub use boxed::{BoxError, BoxFuture};
pub use workload::{Workload, meet_places};
