//! Replay is the promise: every failing run has a tape that repeats it, printed and parsed, and in an edited program.

use super::programs::{self, Edit, Planted};
use fatum::Run;
use fatum::check::{Canonical, shrink};
use fatum::choice::bytes::BytesSource;
use fatum::choice::enumerate::{Enumerator, StepsSource};
use fatum::choice::tape::Tape;
use fatum::sim::Keep;

/// The first failing runs of seeds from 0 on.
fn failing(planted: &Planted, count: usize) -> Vec<Run> {
    let (check, program) = (planted.check(), planted.as_is());
    let runs = (0..5_000).map(|seed| check.run_seed(seed, &program)).filter(|run| run.end.is_failure());
    let runs: Vec<Run> = runs.take(count).collect();
    assert_eq!(runs.len(), count, "{} fails often enough", planted.name);
    runs
}

/// Replays the tape of a run: the same run, all of the tape met.
fn replays_equally(planted: &Planted, run: &Run) {
    let text = toml::to_string(&run.tape).unwrap();
    let parsed: Tape = toml::from_str(&text).unwrap();
    parsed.validate().unwrap();
    assert_eq!(toml::to_string(&parsed).unwrap(), text, "{}", planted.name);
    assert_eq!(parsed, run.tape);
    let again = planted.check().replay(&parsed, Keep::Trace, planted.as_is());
    let context = || format!("{}, seed {}\n{text}", planted.name, run.seed);
    assert_eq!(again.end, run.end, "{}", context());
    assert_eq!(again.digests.choice, run.digests.choice, "{}", context());
    assert_eq!(again.digests.trace, run.digests.trace, "{}", context());
    assert_eq!((again.matched.met, again.matched.unmatched), (run.tape.deviations(), 0), "{}", context());
    assert_eq!(again.tape, run.tape);
    assert_eq!(again.trace.events, run.trace.events);
}

#[test]
fn the_tape_of_every_failing_seed_repeats_its_run() {
    for planted in programs::ALL {
        for run in failing(&planted, 40) {
            assert_eq!((run.end.kind(), run.end.property()), planted.fails, "{}", planted.name);
            replays_equally(&planted, &run);
        }
    }
}

#[test]
fn a_run_driven_by_bytes_has_a_tape_that_repeats_it() {
    for planted in programs::ALL {
        let (check, program) = (planted.check(), planted.as_is());
        for number in 0..60u64 {
            let word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let bytes: Vec<u8> = (0..40).map(|index| (word.rotate_left(index * 7) >> 5) as u8).collect();
            let run = check.run_source(Box::new(BytesSource::new(&bytes)), Keep::Trace, &program);
            replays_equally(&planted, &run);
        }
        let baseline = check.run_source(Box::new(BytesSource::new(&[])), Keep::Trace, &program);
        assert!(baseline.tape.is_empty() && baseline.end.is_passed(), "{}", planted.name);
    }
}

#[test]
fn a_run_of_the_enumerator_has_a_tape_that_repeats_it() {
    for planted in programs::ALL {
        let (check, program) = (planted.check(), planted.as_is());
        let mut enumerator = Enumerator::new(2);
        let mut tapes = Vec::new();
        while let Some(next) = enumerator.advance() {
            let source = StepsSource::new(next.steps.clone());
            let run = check.run_source(Box::new(source), Keep::Trace, &program);
            enumerator.ran(asked(&planted, next.steps.clone()));
            if next.seen {
                continue;
            }
            assert_eq!(run.tape.deviations(), next.steps.len() as u64, "{}", planted.name);
            replays_equally(&planted, &run);
            tapes.push(run.tape);
            if tapes.len() == 150 {
                break;
            }
        }
        let count = tapes.len();
        tapes.sort();
        tapes.dedup();
        assert_eq!(tapes.len(), count, "{}: each run once", planted.name);
    }
}

/// What the run with these deviations is asked after the last.
fn asked(planted: &Planted, steps: Vec<fatum::choice::enumerate::Step>) -> fatum::choice::enumerate::Asked {
    use fatum::choice::{Ask, Names, Ready, Source};
    use std::sync::{Arc, Mutex};
    /// Hands every question on, so that the notes outlive the run.
    struct Shared(Arc<Mutex<StepsSource>>);
    impl Source for Shared {
        fn choose(&mut self, ask: &Ask<'_>) -> u64 {
            self.0.lock().unwrap().choose(ask)
        }
        fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
            self.0.lock().unwrap().pick(ready, names)
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    let shared = Arc::new(Mutex::new(StepsSource::new(steps)));
    planted.check().run_source(Box::new(Shared(shared.clone())), Keep::Digests, planted.as_is());
    shared.lock().unwrap().clone().into_asked()
}

#[test]
fn a_shrunk_tape_fails_equally_in_an_edited_program() {
    for planted in programs::ALL {
        let (check, program) = (planted.check(), planted.as_is());
        let edited = planted.edited(Edit::Unrelated);
        let mut canonical = Canonical::default();
        let mut tapes: Vec<Tape> = Vec::new();
        for run in failing(&planted, 10) {
            let shrunk = shrink(&check, &program, &run, &mut canonical);
            if tapes.contains(&shrunk.tape) {
                continue;
            }
            let again = check.replay(&shrunk.tape, Keep::Trace, &edited);
            let context = || format!("{}: {:?}\n{:#?}", planted.name, again.end, shrunk.tape);
            assert_eq!((again.end.kind(), again.end.property()), planted.fails, "{}", context());
            assert_eq!(again.matched.unmatched, 0, "{}", context());
            assert_eq!(again.tape, shrunk.tape, "{}", context());
            let shrunk_again = shrink(&check, &edited, &again, &mut Canonical::default());
            assert_eq!(shrunk_again.tape.deviations(), shrunk.tape.deviations(), "{}", context());
            assert!(again.steps > shrunk.run.steps, "the edit added something");
            tapes.push(shrunk.tape);
        }
    }
}

#[test]
fn what_a_tape_names_and_a_run_does_not_meet_is_counted() {
    let planted = programs::planted("fault_and_schedule");
    let run = failing(&planted, 1).remove(0);
    let other = programs::planted("large_draw");
    let elsewhere = other.check().replay(&run.tape, Keep::Trace, other.as_is());
    assert!(elsewhere.end.is_passed());
    assert_eq!((elsewhere.matched.met, elsewhere.matched.unmatched), (0, run.tape.deviations()));
}
