//! The detectors: each finds what was planted, and says nothing of the fixed twin.

mod cancel;
mod cycles;
mod leaks;
mod loops;
mod wakeups;

use fatum::choice::tape::Tape;
use fatum::runtime::{End, LeakPolicy};
use fatum::sim::{Keep, SimBuilder};
use fatum::{Run, Sim};
use std::future::Future;

/// The baseline run of a program, with all that reports want.
fn run_with(build: impl FnOnce(SimBuilder) -> SimBuilder, program: impl FnOnce(&mut Sim)) -> Run {
    let mut sim = build(Sim::builder().tape(&Tape::default()).keep(Keep::Trace)).build();
    program(&mut sim);
    sim.finish()
}

fn run(main: impl Future<Output = ()> + 'static) -> Run {
    run_with(|builder| builder, |sim| sim.run(main))
}

fn run_under(leaks: LeakPolicy, main: impl Future<Output = ()> + 'static) -> Run {
    run_with(|builder| builder.leaks(leaks), |sim| sim.run(main))
}

/// The only line of a file of this folder that has this comment at its end, as reports write it.
#[track_caller]
fn at(file: &str, mark: &str) -> String {
    let path = format!("tests/it/detect/{file}.rs");
    let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let is_marked = |line: &str| line.ends_with(&format!("; // {mark}"));
    let found: Vec<usize> =
        (1..).zip(text.lines()).filter(|(_, line)| is_marked(line)).map(|(n, _)| n).collect();
    let [line] = found.as_slice() else { panic!("{mark} is at the lines {found:?} of {path}") };
    format!("{path}:{line}")
}

/// What the detectors say.
fn said(run: &Run) -> Vec<String> {
    run.diagnosis.iter().map(ToString::to_string).collect()
}

/// The page that shows it.
fn page(run: &Run) -> String {
    fatum::check::report::render_blocked(run).join("\n")
}

#[track_caller]
fn silent(run: &Run) {
    assert_eq!((&run.end, &said(run)), (&End::Passed, &Vec::new()));
}
