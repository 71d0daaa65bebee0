//! Fuzzing by tapes: a fuzzer's bytes are the text of a tape, and stay one when it mutates them.
//!
//! It knows no fuzzer: a target of cargo-fuzz hands it bytes, a size and a seed.

use super::config::Check;
use super::program::Program;
use super::report::render_failure;
use crate::choice::asked::Place;
use crate::choice::mutate::mutate;
use crate::choice::tape::Tape;
use crate::strategy::Stream;
use std::collections::VecDeque;
use std::path::Path;

/// Runs whose questions are remembered, and tapes to splice with.
const LAST_MAX: usize = 16;

/// Runs tapes for a fuzzer, and mutates them at places that the last runs asked about.
///
/// A tape is bound by no probability, window or budget of the plan of faults: what is fuzzed so must hold under every
/// choice that exists.
#[derive(Debug)]
pub struct TapeFuzzer {
    check: Check,
    last: VecDeque<(Tape, Vec<Place>)>,
}

impl TapeFuzzer {
    /// Fuzzes under this check.
    pub fn new(check: Check) -> TapeFuzzer {
        TapeFuzzer { check, last: VecDeque::new() }
    }

    /// Makes the run of a fuzzer's bytes; bytes that are no tape are the empty one.
    ///
    /// A failure is shrunk and saved, and `fatum replay` repeats the file.
    ///
    /// # Panics
    /// With the failure report, when the run fails.
    pub fn run(&mut self, data: &[u8], program: impl Program) {
        let tape = read(data);
        let (run, places) = self.check.run_asked(&tape, &program);
        if run.end.is_failure() {
            panic!("{}", render_failure(&self.check.failure_of_tape(&tape, &program)));
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back((tape, places));
    }

    /// Another tape than `data` is, as a text of at most `size_max` bytes.
    pub fn mutate(&self, data: &[u8], size_max: usize, seed: u64) -> Vec<u8> {
        let mut stream = Stream::new(seed, "tape fuzzer");
        let mut draw = |bound: u64| stream.below(bound);
        let others: Vec<Tape> = self.last.iter().map(|(tape, _)| tape.clone()).collect();
        let places = match self.last.len() as u64 {
            0 => &[][..],
            runs => &self.last[draw(runs) as usize].1,
        };
        let mut tape = mutate(&read(data), &others, places, &mut draw);
        loop {
            let text = tape.to_toml();
            let deviations = tape.deviations();
            if text.len() <= size_max || deviations == 0 {
                return text.into_bytes();
            }
            tape = tape.without(draw(deviations) as usize, 1);
        }
    }
}

fn read(data: &[u8]) -> Tape {
    let text = std::str::from_utf8(data).ok();
    text.and_then(|text| Tape::parse(text, Path::new("fuzzed.toml")).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sim;
    use crate::rand;

    fn check() -> Check {
        Check { failures_dir: None, ..Check::new("fuzzed") }
    }

    /// Fails where three draws are 3, 1 and 2.
    fn lock(sim: &mut Sim) {
        sim.run(async {
            for right in [3, 1, 2] {
                if rand::rng().below(8) != right {
                    return Ok(());
                }
            }
            Err("the lock is open")
        });
    }

    #[test]
    fn mutations_reach_what_only_three_deviations_reach() {
        let mut fuzzer = TapeFuzzer::new(check());
        // What a fuzzer does: keep what got further. Of this program every prefix is in reach of a few mutations.
        let mut corpus = vec![Vec::new()];
        let mut found = None;
        for seed in 0..5_000u64 {
            let data = corpus[seed as usize % corpus.len()].clone();
            let mutated = fuzzer.mutate(&data, 4_096, seed);
            let tape = read(&mutated);
            let (run, places) = fuzzer.check.run_asked(&tape, &lock);
            if run.end.is_failure() {
                found = Some(mutated);
                break;
            }
            fuzzer.run(&mutated, lock);
            if places.len() > corpus.len() {
                corpus.push(mutated);
            }
        }
        let data = found.expect("the lock is opened");
        let panic = std::panic::catch_unwind(move || fuzzer.run(&data, lock)).unwrap_err();
        let page = panic.downcast_ref::<String>().unwrap();
        assert!(page.contains("the lock is open") && page.contains("to 3 in "), "{page}");
    }

    #[test]
    fn what_is_no_tape_is_the_empty_one() {
        for data in [&b"\xff"[..], b"nonsense", b"[[choice]]", b""] {
            assert_eq!(read(data), Tape::default());
        }
    }

    #[test]
    fn a_mutation_fits_where_the_fuzzer_has_room() {
        let mut fuzzer = TapeFuzzer::new(check());
        fuzzer.run(b"", lock);
        for seed in 0..50 {
            let mutated = fuzzer.mutate(b"", 100, seed);
            assert!(mutated.len() <= 100, "{}", String::from_utf8_lossy(&mutated));
            assert!(fuzzer.mutate(&mutated, 10, seed).is_empty());
        }
    }
}
