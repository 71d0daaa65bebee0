//! The states of one queue by themselves: what the port's model does, and what a slow list of sets does.

use super::{Work, ms, simulate, work};
use fatum::systems::controller::model::{AddPolicy, Added, Deferred, Model, Phase};
use fatum::systems::controller::{Shutdown, Variant};
use fatum::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// The reference, as its specification words it: a list, two sets, and a time per key.
#[derive(Default)]
struct Slow {
    queue: Vec<String>,
    dirty: BTreeSet<String>,
    processing: BTreeSet<String>,
    deferred: BTreeMap<String, (Duration, u64)>,
    deferrals: u64,
    stopped: Option<Shutdown>,
}

impl Slow {
    fn want(&mut self, key: &str) -> Added {
        if !self.dirty.insert(key.to_owned()) {
            return Added::Coalesced;
        }
        if self.processing.contains(key) {
            return Added::Dirty;
        }
        self.queue.push(key.to_owned());
        Added::Queued
    }

    fn add(&mut self, key: &str) -> (Added, bool) {
        if self.stopped.is_some() {
            return (Added::Rejected, false);
        }
        let supersedes = self.deferred.remove(key).is_some();
        (self.want(key), supersedes)
    }

    fn take(&mut self) -> Option<String> {
        if self.queue.is_empty() {
            return None;
        }
        let key = self.queue.remove(0);
        self.dirty.remove(&key);
        self.processing.insert(key.clone());
        Some(key)
    }

    fn done(&mut self, key: &str) -> Option<bool> {
        if !self.processing.remove(key) {
            return None;
        }
        let requeued = self.dirty.contains(key);
        if requeued {
            self.queue.push(key.to_owned());
        }
        Some(requeued)
    }

    fn defer(&mut self, key: &str, until: Duration, overrides: bool) -> Deferred {
        if self.stopped.is_some() {
            return Deferred::Rejected;
        }
        self.deferrals += 1;
        match self.deferred.get(key) {
            Some((earlier, _)) if *earlier <= until && !overrides => Deferred::Kept,
            _ => {
                self.deferred.insert(key.to_owned(), (until, self.deferrals));
                Deferred::Set
            }
        }
    }

    fn fire(&mut self, now: Duration) -> Option<(String, Added)> {
        let (_, key) = self.deferred.iter().map(|(key, when)| (*when, key.clone())).min()?;
        if self.deferred[&key].0 > now {
            return None;
        }
        self.deferred.remove(&key);
        let added = self.want(&key);
        Some((key, added))
    }

    fn stop(&mut self, how: Shutdown) {
        if how == Shutdown::Drop {
            self.queue.clear();
            self.dirty.clear();
        }
        self.deferred.clear();
        self.stopped = self.stopped.max(Some(how));
    }
}

/// One random step of both, and what each said.
fn step(
    draws: &mut impl FnMut(u64) -> u64,
    model: &mut Model<Work>,
    slow: &mut Slow,
    start: Instant,
    at: Duration,
) {
    let now = start + at;
    let item = work(draws(6));
    let key = item.0.clone();
    match draws(100) {
        0..30 => assert_eq!(model.add(item, now), slow.add(&key)),
        30..55 => assert_eq!(model.take(now).map(|taken| taken.item.0), slow.take()),
        55..75 => assert_eq!(model.done(&key, now).map(|done| done.requeued), slow.done(&key)),
        75..85 => {
            let (later, overrides) = (at + ms(draws(20)), draws(3) == 0);
            assert_eq!(model.defer(item, start + later, overrides), slow.defer(&key, later, overrides));
        }
        85..95 => assert_eq!(model.fire(now), slow.fire(at)),
        95..99 => assert_eq!(model.cancel(&key), slow.deferred.remove(&key).is_some()),
        _ if draws(6) > 0 => {}
        _ => {
            let how = if draws(2) == 0 { Shutdown::Drain } else { Shutdown::Drop };
            let is_news = slow.stopped < Some(how);
            let deferred: Vec<String> = slow.deferred.keys().cloned().collect();
            assert_eq!(model.stop(how), is_news.then_some(deferred));
            if is_news {
                slow.stop(how);
            }
        }
    }
}

#[test]
fn the_model_does_what_a_list_and_two_sets_do() {
    simulate(|| async {
        let start = Instant::now();
        for seed in 0..400_u64 {
            let mut word = seed;
            let mut draws = |bound: u64| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (word >> 33) % bound
            };
            let (mut model, mut slow) =
                (Model::new(AddPolicy::SupersedeDeferral, Variant::Correct), Slow::default());
            for at in 0..300 {
                step(&mut draws, &mut model, &mut slow, start, ms(at));
                assert_eq!(model.check(), Ok(()), "seed {seed}, step {at}");
                assert_eq!(model.len(), slow.queue.len());
                assert_eq!(model.is_idle(), slow.queue.is_empty() && slow.processing.is_empty());
                assert_eq!(model.wanted(), slow.dirty.len());
            }
        }
    });
}

#[test]
fn a_harder_stop_follows_a_softer_one_and_never_the_other_way() {
    let mut model: Model<Work> = Model::new(AddPolicy::SupersedeDeferral, Variant::Correct);
    let rows = [
        (Shutdown::Drain, Some(vec![]), Phase::Draining),
        (Shutdown::Drain, None, Phase::Draining),
        (Shutdown::Drop, Some(vec![]), Phase::Dropped),
        (Shutdown::Drop, None, Phase::Dropped),
        (Shutdown::Drain, None, Phase::Dropped),
    ];
    for (how, dropped, phase) in rows {
        assert_eq!((model.stop(how), model.phase()), (dropped, phase));
    }
}

/// What `check` says of a model with a planted bug after these moves.
fn broken(variant: Variant, moves: impl FnOnce(&mut Model<Work>, Instant)) -> String {
    let now = Instant::now();
    let mut model = Model::new(AddPolicy::SupersedeDeferral, variant);
    moves(&mut model, now);
    model.check().expect_err("the bug is planted")
}

#[test]
fn the_invariants_name_what_is_broken() {
    simulate(|| async {
        let words = broken(Variant::SpuriousDone, |model, now| {
            model.add(work("a"), now);
            model.done(&"a".to_owned(), now);
        });
        assert_eq!(words, "0 takes and 1 dones, but 0 keys are being processed");
        let words = broken(Variant::AddIgnoresProcessing, |model, now| {
            model.add(work("a"), now);
            model.take(now);
            model.add(work("a"), now);
        });
        assert_eq!(words, "`a` is queued while it is processed");
    });
}
