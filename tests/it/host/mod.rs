//! Hosts: what a crash loses and what it leaves, restart, pause, clocks; as verbs and as faults.

mod clocks;
mod crash;
mod edges;
mod faults;
mod pause;
