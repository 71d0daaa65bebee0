//! The runtime and the Sim: ends, determinism, abuse.

mod ends;
mod hangs;
mod places;
mod sweeps;
