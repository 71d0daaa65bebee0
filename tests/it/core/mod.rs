//! The runtime and the Sim: ends, determinism, abuse.

mod abuse;
mod edits;
mod ends;
mod environment;
mod exhaustive;
mod faults;
mod golden;
mod hangs;
#[cfg(feature = "tokio")]
mod on_tokio;
mod places;
mod programs;
mod replay;
pub(crate) mod shrinking;
mod stories;
mod strategies;
mod sweeps;
mod times;
mod verdicts;
mod worlds;
