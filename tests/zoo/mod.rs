//! The zoo: small concurrent programs, each with one known bug and a twin in which it is mended.
//!
//! A program says where it comes from and how a run that meets its bug ends. The baseline run of each passes; the twin
//! differs by the fix only and is silent under every strategy. The classic and the ownership tier are written against
//! [`rt`] alone, so that the same source runs under other tools (`benches/peers` brings their `rt`). The control-plane
//! tier is written for fatum: it has virtual time, a store and faults. Used by `tests/it` and by `benches`.
#![expect(unreachable_pub, reason = "the module tree is part of several crates, each the root of its own")]

use fatum::Sim;
use fatum::fault::FaultPlan;

#[macro_use]
pub mod rt;
pub mod classic;
pub mod ownership;
pub mod control;
pub mod protocol;

/// Where a program comes from, and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Threads, shared variables and locks: the benchmarks of the literature.
    Classic,
    /// What security bugs are made of: objects that are used after they were freed, freed twice, or never there.
    Ownership,
    /// Controllers, executors and operators: with virtual time, a store and faults.
    ControlPlane,
}

/// With the bug, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// As published.
    Buggy,
    /// Mended, and otherwise the same.
    Fixed,
}

/// One program of the zoo.
#[derive(Clone, Copy)]
pub struct Program {
    /// Its name in the literature: `reorder_10`.
    pub name: &'static str,
    /// Its tier.
    pub tier: Tier,
    /// Where it comes from, in a line.
    pub source: &'static str,
    /// The kinds of end that are the bug; another failure is one of the port.
    pub expects: &'static [&'static str],
    /// Puts it into a simulation.
    pub set_up: fn(&mut Sim, Twin),
    /// What it is harmed by; nothing, in the first two tiers.
    pub faults: fn() -> FaultPlan,
}

/// All programs, tier by tier.
pub fn all() -> impl Iterator<Item = &'static Program> {
    [classic::ALL, ownership::ALL, control::ALL].into_iter().flatten()
}
