//! fatum
#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")
)]

mod error;
pub mod choice;
pub mod strategy;
pub mod trace;
pub mod runtime;
pub mod task;
pub mod time;
pub mod sync;

pub use error::Error;
pub use tokio::{join, try_join};
