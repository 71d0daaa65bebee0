//! The control-plane tier: controllers, executors and operators in small, with virtual time, a store and faults.
//!
//! Each program says with which kind of end it fails, and which property it breaks. No other failure may come first.

mod operator;
mod intermediate;
mod stale;
mod unobserved;
mod kafka;
mod queues;
mod plans;
mod caches;

use super::{Program, Tier, Twin};
use fatum::Sim;
use fatum::fault::FaultPlan;

/// A program, and the property that its bug breaks.
#[derive(Clone, Copy)]
pub struct Case {
    /// The program.
    pub program: Program,
    /// The property; none where the kind of the end says all.
    pub property: Option<&'static str>,
}

/// How a bug shows: the kind of the end, and the property if there is one.
#[derive(Clone, Copy)]
enum Shows {
    Violated(&'static str),
    NotConverged(&'static str),
    Panicked,
    Deadlock,
}

/// All of them, with what they break.
pub const CASES: &[Case] = &joined();

/// All of them.
pub const ALL: &[Program] = &programs();

const FILES: [&[Case]; 7] = [
    &intermediate::CASES,
    &stale::CASES,
    &unobserved::CASES,
    &kafka::CASES,
    &queues::CASES,
    &plans::CASES,
    &caches::CASES,
];

const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < FILES.len() {
        count += FILES[file].len();
        file += 1;
    }
    count
};

const fn joined() -> [Case; COUNT] {
    let mut cases = [FILES[0][0]; COUNT];
    let (mut next, mut file) = (0, 0);
    while file < FILES.len() {
        let mut row = 0;
        while row < FILES[file].len() {
            cases[next] = FILES[file][row];
            (next, row) = (next + 1, row + 1);
        }
        file += 1;
    }
    cases
}

const fn programs() -> [Program; COUNT] {
    let mut programs = [CASES[0].program; COUNT];
    let mut next = 0;
    while next < COUNT {
        if let Some(property) = CASES[next].property {
            assert!(!property.is_empty(), "a property has a name");
        }
        programs[next] = CASES[next].program;
        next += 1;
    }
    programs
}

/// One row of a file's list.
const fn case(
    name: &'static str,
    source: &'static str,
    shows: Shows,
    set_up: fn(&mut Sim, Twin),
    faults: fn() -> FaultPlan,
) -> Case {
    let (expects, property): (&'static [&'static str], Option<&'static str>) = match shows {
        Shows::Violated(property) => (&["violated"], Some(property)),
        Shows::NotConverged(property) => (&["not-converged"], Some(property)),
        Shows::Panicked => (&["panicked"], None),
        Shows::Deadlock => (&["deadlock"], None),
    };
    Case { program: Program { name, tier: Tier::ControlPlane, source, expects, set_up, faults }, property }
}
