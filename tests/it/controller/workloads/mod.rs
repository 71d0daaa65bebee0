//! Tests of the workloads that the crate ships: each against its oracle, its planted bugs and the points of its run.

mod gateway;
