//! fatum
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on should panic"))]

mod error;
pub mod choice;
pub mod strategy;
pub mod trace;
pub mod runtime;
pub mod time;
pub mod task;
pub mod sync;
mod emit;
pub mod rand;
pub mod fault;
pub mod property;
pub mod sim;
pub mod log;
mod wall;
pub mod check;
#[cfg(feature = "proptest")]
pub mod prop;
pub mod systems;

pub use check::{Check, check, fuzz};
pub use emit::emit;
pub use error::Error;
pub use runtime::current::is_simulated;
pub use sim::{Run, Sim};
pub use tokio::{join, try_join};

#[doc(hidden)]
pub mod __private {
    pub use crate::emit::Adhoc;
    pub use crate::sync::select_start;
    pub use tokio;
}
