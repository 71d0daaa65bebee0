//! The zoo: every bug passes at the baseline and is found by a strategy that is good at it, shrinks and replays; every
//! mended twin is silent; and the measuring of all this is right.

#[path = "../../zoo/mod.rs"]
mod programs;

mod control;
mod exhaustive;
mod found;
mod measuring;
mod stories;

use programs::Program;

/// The program of that name.
fn named(name: &str) -> &'static Program {
    programs::all().find(|program| program.name == name).expect("it is in the zoo")
}
