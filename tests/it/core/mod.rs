//! The runtime and the Sim: ends, determinism, abuse.

mod abuse;
mod ends;
mod environment;
mod golden;
mod hangs;
#[cfg(feature = "tokio")]
mod on_tokio;
mod places;
mod programs;
mod replay;
pub(crate) mod shrinking;
mod sweeps;
mod worlds;
