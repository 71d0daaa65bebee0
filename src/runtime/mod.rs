//! The runtime: one world, its clock and its step loop. Single-threaded, without a reactor.
//!
//! Contracts, in order: the world is never borrowed while user code runs; a wake is an id and never a pointer; time
//! moves only when nothing is ready, and then to the next deadline; tasks made ready by one poll enter in spawn
//! order; nothing here is random (every pick goes to the source).
//!
//! It does not know the facade, properties or systems; they reach it through `current`.

pub(crate) mod boxes;
pub(crate) mod current;
pub(crate) mod diagnosis;
mod end;
pub(crate) mod hosts;
mod leftovers;
mod notes;
mod objects;
pub(crate) mod panics;
mod parts;
mod spare;
mod stats;
pub(crate) mod step;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod wait;
pub(crate) mod waker;
pub(crate) mod world;

pub use diagnosis::{Detector, Diagnosis};
pub use end::{Budget, End, LeakPolicy, PanicPolicy};
pub use hosts::HostChange;
pub use leftovers::{Cancels, Leftovers};
pub use stats::SiteStats;
pub use wait::{Blocked, Signalled, Wait};
