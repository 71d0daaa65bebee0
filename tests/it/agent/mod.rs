//! Tests of `systems::agent`: the tables of its specification, then what the port adds. Here: what they all need.

mod world;
mod states;
mod steps;
mod errors;
mod stubs;
mod secrets;
mod managers;
mod records;
mod reporters;
mod workers;
mod containers;
mod sessions;
mod calls;
mod properties;
mod drawing;
mod swarm;
mod files;
#[cfg(feature = "tokio")]
mod tokio;

pub(crate) use world::{ms, secs, simulate};
