//! The runtime and the Sim: ends, determinism, abuse.

mod ends;
mod places;
mod sweeps;
