//! The runtime and the Sim: ends, determinism, abuse.

mod abuse;
mod ends;
mod hangs;
mod places;
mod programs;
mod replay;
mod shrinking;
mod sweeps;
mod worlds;
