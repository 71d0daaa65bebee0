//! Tasks, with tokio's names: simulated inside a simulation, tokio's outside (cargo feature `tokio`).
//!
//! The world is decided where a value is created. Part of the facade: it knows the runtime and no fault, property
//! or system.

mod blocking;
mod handle;
mod point;
mod set;
mod spawn;
mod waiting;

pub use blocking::spawn_blocking;
pub use handle::{AbortHandle, JoinError, JoinHandle};
pub(crate) use point::{Point, mark_on};
pub use point::{yield_now, yield_point, yield_point_on, yield_read, yield_read_on};
pub use set::JoinSet;
pub use spawn::{spawn, spawn_local, spawn_named};
pub use waiting::{WaitingFor, waiting_for};
