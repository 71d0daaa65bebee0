//! Each property against a history that breaks it, written by hand, and against one that does not; each detector with
//! one that it speaks of and one that it does not.

use std::sync::Arc;

use fatum::systems::controller::limiter::Curve;
use fatum::systems::controller::properties::{
    Delays, NAMES, Order, Overrides, Punctuality, Settings, Thresholds,
};
use fatum::systems::controller::{ControllerEvent as E, ControllerProperties, Fact};
use fatum::time::Duration;

use super::{ms, secs};

type Key = Arc<str>;

/// An event of a controller, or a fact.
#[derive(Clone)]
enum Step {
    Event(E),
    Fact(Fact),
}

type History = Vec<(Duration, Step)>;

const QUEUE: u64 = 1;

fn key(text: &str) -> Key {
    text.into()
}

fn added(name: &str) -> Step {
    Step::Event(E::Added { queue: QUEUE, key: key(name), dirty: false })
}

fn dirty(name: &str) -> Step {
    Step::Event(E::Added { queue: QUEUE, key: key(name), dirty: true })
}

fn coalesced(name: &str) -> Step {
    Step::Event(E::Coalesced { queue: QUEUE, key: key(name) })
}

fn taken(name: &str) -> Step {
    Step::Event(E::Taken { queue: QUEUE, key: key(name) })
}

fn done(name: &str, requeued: bool) -> Step {
    Step::Event(E::Done { queue: QUEUE, key: key(name), requeued })
}

fn deferred(name: &str, delay: Duration, kept: bool) -> Step {
    Step::Event(E::Deferred { queue: QUEUE, key: key(name), delay, kept })
}

fn fired(name: &str) -> Step {
    Step::Event(E::Fired { queue: QUEUE, key: key(name) })
}

fn forgot(name: &str) -> Step {
    Step::Event(E::Forgot { queue: QUEUE, key: key(name) })
}

fn backoff(name: &str, failures: u32, delay: Duration) -> Step {
    Step::Event(E::Backoff { queue: QUEUE, key: key(name), failures, delay, curve: None })
}

/// A backoff of a limiter that says from what it computes it.
fn backoff_on(curve: Curve, failures: u32, delay: Duration) -> Step {
    let curve = Some(curve);
    Step::Event(E::Backoff { queue: QUEUE, key: key("x"), failures, delay, curve })
}

fn stopped(drain: bool) -> Step {
    Step::Event(E::QueueStopped { queue: QUEUE, drain })
}

fn run(primed: bool) -> Step {
    Step::Event(E::RunStarted { queue: QUEUE, workers: 1, subscriptions: 1, primed })
}

fn ended(error: Option<&str>) -> Step {
    Step::Event(E::RunEnded { queue: QUEUE, error: error.map(key) })
}

fn begins(name: &str) -> Step {
    Step::Event(E::Reconcile { queue: QUEUE, key: key(name), worker: 0 })
}

fn ends(name: &str, outcome: &'static str) -> Step {
    Step::Event(E::Reconciled { queue: QUEUE, key: key(name), worker: 0, outcome })
}

fn opened() -> Step {
    Step::Event(E::SubscriptionOpened { queue: QUEUE, subscription: 0, topic: key("a") })
}

fn snapshot() -> Step {
    Step::Event(E::SubscriptionSnapshot { queue: QUEUE, subscription: 0, topic: key("a"), index: 1 })
}

fn closed() -> Step {
    Step::Event(E::SubscriptionClosed {
        queue: QUEUE,
        subscription: 0,
        topic: key("a"),
        error: key("broken pipe"),
    })
}

fn waits(delay: Duration) -> Step {
    Step::Event(E::SubscriptionWaits { queue: QUEUE, subscription: 0, topic: key("a"), delay })
}

fn given_up() -> Step {
    Step::Event(E::SubscriptionEnded { queue: QUEUE, subscription: 0, topic: key("a") })
}

fn set(name: &str, generation: u64) -> Step {
    Step::Event(E::TriggerSet { queue: QUEUE, key: key(name), generation })
}

fn fires(name: &str, generation: u64) -> Step {
    Step::Event(E::TriggerFired { queue: QUEUE, key: key(name), generation, error: None })
}

fn dropped(name: &str, generation: u64) -> Step {
    Step::Event(E::TriggerDropped { queue: QUEUE, key: key(name), generation })
}

fn changed(name: &str, version: u64) -> Step {
    Step::Fact(Fact::Changed { key: key(name), version })
}

fn written(name: &str, version: u64) -> Step {
    Step::Fact(Fact::Written { key: key(name), version })
}

fn reads(name: &str, version: u64) -> Step {
    Step::Fact(Fact::Read { key: key(name), version })
}

/// All at one time.
fn at(time: Duration, steps: impl IntoIterator<Item = Step>) -> History {
    steps.into_iter().map(|step| (time, step)).collect()
}

fn now(steps: impl IntoIterator<Item = Step>) -> History {
    at(Duration::ZERO, steps)
}

/// One whole reconcile that ends well.
fn reconciled(name: &str) -> Vec<Step> {
    vec![added(name), taken(name), begins(name), ends(name, "done"), forgot(name), done(name, false)]
}

fn broken_with(settings: Settings, history: &History) -> Option<&'static str> {
    let mut fold = ControllerProperties::new(settings);
    let found = history.iter().find_map(|(time, step)| {
        let at_ns = time.as_nanos() as u64;
        match step {
            Step::Event(event) => fold.observe(at_ns, event).err(),
            Step::Fact(fact) => fold.hear(at_ns, fact).err(),
        }
    });
    found.or_else(|| fold.finish().err()).map(|violation| violation.property)
}

fn broken(history: &History) -> Option<&'static str> {
    broken_with(Settings::default(), history)
}

/// A run in which everything happens that may.
fn good() -> History {
    let early = [run(true), changed("x", 7), opened(), added("x"), coalesced("x"), snapshot(), set("x", 1)];
    let fails = [taken("x"), begins("x"), reads("x", 6), ends("x", "failed"), backoff("x", 0, ms(5))];
    let late = [deferred("x", ms(5), false), done("x", false), closed(), waits(secs(1))];
    let again = [fired("x"), added("x"), taken("x"), begins("x"), reads("x", 7), fires("x", 1), dirty("x")];
    let asks =
        [ends("x", "requeue-after"), forgot("x"), deferred("x", ms(9), false), deferred("x", ms(3), false)];
    let rerun = [done("x", true), taken("x"), begins("x"), ends("x", "panicked"), backoff("x", 0, ms(5))];
    let retried = [deferred("x", ms(5), true), done("x", false)];
    let last =
        [fired("x"), added("x"), taken("x"), begins("x"), reads("x", 7), ends("x", "done"), forgot("x")];
    let over = [opened(), stopped(true), done("x", false), given_up(), ended(None)];
    [
        now(early.into_iter().chain(fails).chain(late)),
        at(ms(5), again.into_iter().chain(asks).chain(rerun).chain(retried)),
        at(ms(8), last.into_iter().chain(over)),
    ]
    .concat()
}

#[test]
fn a_good_history_breaks_nothing() {
    assert_eq!(broken(&good()), None);
    let dropped = now([run(false), added("x"), taken("x"), begins("x"), set("x", 1), stopped(false)]);
    let by_its_future = [dropped, now([ended(Some("the run was dropped")), done("x", false)])].concat();
    assert_eq!(broken(&by_its_future), None, "nothing is joined by a run that was dropped");
    let given_up =
        now([run(false), opened(), closed(), given_up(), stopped(false), ended(Some("broken pipe"))]);
    assert_eq!(broken(&given_up), None);
    let of_another = E::Taken { queue: 9, key: key("x") };
    let mut two = now([added("x"), taken("x")]);
    two.push((Duration::ZERO, Step::Event(E::Added { queue: 9, key: key("x"), dirty: false })));
    two.push((Duration::ZERO, Step::Event(of_another)));
    assert_eq!(broken(&two), None, "queues are judged each by itself");
}

fn running(steps: Vec<Step>) -> History {
    now([vec![run(false)], steps].concat())
}

fn begun(steps: Vec<Step>) -> History {
    running([vec![added("x"), taken("x"), begins("x")], steps].concat())
}

/// Histories that break a property, by its name.
fn bad() -> Vec<(&'static str, History)> {
    [bad_queues(), bad_runs()].concat()
}

fn bad_queues() -> Vec<(&'static str, History)> {
    vec![
        ("exclusive", now([added("x"), taken("x"), added("x")])),
        ("exclusive", begun(vec![done("x", false)])),
        ("at-least-once", now([coalesced("x")])),
        ("at-least-once", now([added("x"), taken("x"), coalesced("x")])),
        ("at-least-once", now([Step::Event(E::Rejected { queue: QUEUE, key: key("x") })])),
        ("at-least-once", [running(vec![added("x")]), at(ms(1), [coalesced("x")])].concat()),
        ("coalescing", now([added("x"), added("x")])),
        ("coalescing", now([taken("x")])),
        ("rerun-after-done", now([added("x"), taken("x"), dirty("x"), done("x", false)])),
        ("rerun-after-done", now([added("x"), taken("x"), done("x", true)])),
        ("fifo", now([added("x"), added("y"), taken("y")])),
        ("deferral", now([deferred("x", ms(5), false), fired("x")])),
        ("deferral", now([fired("x")])),
        ("deferral", now([deferred("x", ms(5), false), deferred("x", ms(9), false)])),
        ("deferral", now([deferred("x", ms(5), false), deferred("x", ms(3), true)])),
        ("deferral", [now([deferred("x", ms(5), false)]), at(ms(6), [added("y")])].concat()),
        (
            "deferral",
            [now([deferred("x", ms(5), false)]), at(ms(5), [fired("x")]), at(ms(6), [added("x")])].concat(),
        ),
        ("backoff", now([backoff("x", 1, ms(5))])),
        ("backoff", now([backoff("x", 0, ms(5)), backoff("x", 1, ms(4))])),
        ("backoff", now([backoff("x", 0, ms(0))])),
        ("backoff", now([backoff_on(Curve { base: ms(5), max: secs(1000) }, 0, ms(6))])),
        ("backoff", begun(vec![ends("x", "done"), done("x", false)])),
        ("backoff", begun(vec![ends("x", "requeue-after"), deferred("x", ms(5), false), done("x", false)])),
        ("backoff", begun(vec![ends("x", "requeue-after"), backoff("x", 0, ms(5))])),
    ]
}

fn bad_runs() -> Vec<(&'static str, History)> {
    vec![
        ("stop", now([stopped(true), added("x")])),
        ("stop", now([stopped(true), deferred("x", ms(5), false)])),
        ("stop", now([added("x"), stopped(false), taken("x")])),
        ("stop", begun(vec![ends("x", "done"), forgot("x"), done("x", false), ended(None)])),
        ("at-least-once", running(vec![added("x"), taken("x"), done("x", false)])),
        ("at-least-once", [running(vec![added("x"), taken("x")]), at(ms(1), [added("y")])].concat()),
        ("joined", begun(vec![stopped(false), ended(None)])),
        ("joined", running(vec![stopped(false), ended(None), begins("x")])),
        ("panic-isolation", begun(vec![ends("x", "panicked"), done("x", false)])),
        ("panic-isolation", [begun(vec![ends("x", "panicked")]), at(ms(1), [added("y")])].concat()),
        (
            "panic-isolation",
            begun(vec![ends("x", "panicked"), backoff("x", 0, ms(5)), backoff("x", 1, ms(10))]),
        ),
        ("trigger", running(vec![set("x", 1), set("x", 2)])),
        ("trigger", running(vec![set("x", 1), dropped("x", 1), fires("x", 1)])),
        ("trigger", running(vec![set("x", 1), fires("x", 1), fires("x", 1)])),
        ("trigger", running(vec![set("x", 1), dropped("x", 1), set("x", 1)])),
        ("trigger", running(vec![set("x", 1), stopped(false), ended(None)])),
        ("trigger", [begun(vec![set("x", 1), fires("x", 1)]), at(ms(1), [set("y", 2)])].concat()),
        ("eventual-consistency", now([changed("x", 1)])),
        ("eventual-consistency", begun(vec![changed("x", 2), reads("x", 1), ends("x", "done")])),
        ("eventual-consistency", begun(vec![changed("x", 2), reads("x", 2), ends("x", "failed")])),
        ("quiescence", ping_pong(51)),
        ("pairing", now([done("x", false)])),
        ("pairing", now([dirty("x")])),
        ("pairing", running(vec![added("y"), begins("x")])),
        ("pairing", running(vec![added("x"), ends("x", "done")])),
        ("drain", running(vec![added("x"), stopped(true), ended(None)])),
        ("subscription", running(vec![opened(), closed(), given_up(), stopped(false), ended(None)])),
        ("subscription", running(vec![opened(), stopped(false), ended(None)])),
        ("subscription", running(vec![opened(), waits(secs(1))])),
        ("subscription", [running(vec![opened(), closed()]), at(secs(301), [added("x")])].concat()),
        ("subscription", [running(vec![opened(), closed(), given_up()]), at(ms(1), [added("x")])].concat()),
        ("requeue-first", begun(vec![ends("x", "failed"), done("x", false)])),
        ("requeue-first", begun(vec![ends("x", "requeue-after"), forgot("x"), done("x", false)])),
        ("subscription", [running(vec![]), at(secs(301), [added("x")])].concat()),
        ("primed", now([run(true), added("x"), taken("x"), begins("x")])),
        ("primed", now([run(true), added("x"), stopped(true), taken("x"), begins("x")])),
        ("primed", now(two_of_one_topic([snapshot(), closed(), opened(), snapshot()]))),
        ("requeue-storm", storm_with([closed(), opened()])),
        ("requeue-storm", storm_with([set("x", 1), fires("x", 1), added("x")])),
        ("requeue-storm", storm(501, ms(10))),
        ("starved-key", starved(secs(601))),
        ("lost-key", lost(secs(601))),
    ]
}

/// A primed run with two subscriptions, of which the first does this before something is reconciled.
fn two_of_one_topic(first: [Step; 4]) -> Vec<Step> {
    let run = E::RunStarted { queue: QUEUE, workers: 1, subscriptions: 2, primed: true };
    let second = E::SubscriptionOpened { queue: QUEUE, subscription: 1, topic: key("a") };
    let begins = [added("x"), taken("x"), begins("x")];
    [Step::Event(run), Step::Event(second), opened()].into_iter().chain(first).chain(begins).collect()
}

/// So many reconciles that it is a storm, each with something that is no change outside.
fn storm_with<const N: usize>(each: [Step; N]) -> History {
    let once = |number: u32| {
        at(secs(3600) + ms(10) * number, [&each[..], &reconciled("x")[each.len() / 3..]].concat())
    };
    running(vec![opened()]).into_iter().chain((1..=501).flat_map(once)).collect()
}

#[test]
fn every_property_is_broken_by_a_history() {
    for (number, (property, history)) in bad().iter().enumerate() {
        assert_eq!(broken(history), Some(*property), "history {number}");
    }
    let named: std::collections::BTreeSet<&str> = bad().iter().map(|(property, _)| *property).collect();
    assert_eq!(named, NAMES.into_iter().collect(), "every property has a history that breaks it");
}

/// One change outside, then so many reconciles, each an hour after the other.
fn ping_pong(count: u32) -> History {
    let mut history = now([run(false), opened(), changed("x", 1)]);
    for hour in 0..count {
        history.extend(at(secs(3600) * hour, [written("x", 1)]));
        history.extend(at(secs(3600) * hour, reconciled_reading("x", 1)));
    }
    history
}

fn reconciled_reading(name: &str, version: u64) -> Vec<Step> {
    let mut steps = reconciled(name);
    steps.insert(3, reads(name, version));
    steps
}

/// So many reconciles of one key, each this long after the other, long after the begin of the run.
fn storm(count: u32, apart: Duration) -> History {
    let steps = (1..=count).flat_map(|number| at(secs(3600) + apart * number, reconciled("x")));
    now([run(false), opened()]).into_iter().chain(steps).collect()
}

/// One key stays queued while others are taken; the queue is no FIFO.
fn starved(patience: Duration) -> History {
    [now([added("x"), added("y")]), at(patience, [taken("x"), added("z")])].concat()
}

/// A key that nobody reconciles.
fn lost(patience: Duration) -> History {
    [now([run(false), opened(), changed("x", 1)]), at(patience, [added("y")])].concat()
}

#[test]
fn nobody_loses_a_key_while_nobody_runs() {
    let unrun = [now([changed("x", 1)]), at(secs(601), [added("y")])].concat();
    assert_eq!(broken(&unrun), Some("eventual-consistency"), "that is asked at the end");
    let over = now([run(false), stopped(false), ended(None), changed("x", 1)]);
    let long_after = [over, at(secs(601), [changed("y", 1)])].concat();
    assert_eq!(broken(&long_after), Some("eventual-consistency"));
    let again =
        [long_after, at(secs(700), [run(false), opened()]), at(secs(1000), [changed("y", 2)])].concat();
    assert_eq!(broken(&again), Some("eventual-consistency"), "the new run has its time");
    assert_eq!(broken(&[again, at(secs(1301), [changed("y", 3)])].concat()), Some("lost-key"));
}

#[test]
fn delays_are_judged_by_what_they_are_computed_from() {
    let curve = Curve { base: Duration::from_nanos(1), max: secs(3600) };
    let doubling = (0..42).map(|failures| backoff_on(curve, failures, Duration::from_nanos(1 << failures)));
    let longest = (42..200).map(|failures| backoff_on(curve, failures, secs(3600)));
    assert_eq!(broken(&now(doubling.chain(longest))), None);
}

#[test]
fn an_entry_that_is_gone_has_one_version() {
    let gone = [changed("x", 7), changed("x", Fact::GONE), Step::Fact(Fact::Gone { key: key("x") })];
    let behind = now([vec![run(false), opened()], gone.to_vec()].concat());
    assert_eq!(broken(&behind), Some("eventual-consistency"), "it is to be reconciled once more");
    assert_eq!(broken(&[behind, now(reconciled_reading("x", Fact::GONE))].concat()), None);
}

#[test]
fn a_subscription_that_is_opened_again_excuses_one_reconcile_of_each_key() {
    let mut history = ping_pong(51);
    history.insert(60, (history[60].0, opened()));
    assert_eq!(broken(&history), None);
    let mut history = ping_pong(52);
    history.insert(60, (history[60].0, opened()));
    assert_eq!(broken(&history), Some("quiescence"));
}

#[test]
fn a_detector_is_silent_below_its_threshold() {
    assert_eq!(broken(&storm(500, ms(10))), None);
    assert_eq!(broken(&storm(501, ms(21))), None, "the same number, in a longer time");
    assert_eq!(broken(&starved(secs(599))), None);
    assert_ne!(broken(&lost(secs(599))), Some("lost-key"));
    let deferred = [
        now([run(false), opened(), changed("x", 1), deferred("x", secs(700), false)]),
        at(secs(601), [added("y")]),
    ]
    .concat();
    assert_ne!(broken(&deferred), Some("lost-key"), "it is to come");
    assert_eq!(broken(&ping_pong(50)), None);
}

#[test]
fn a_change_outside_explains_more_reconciles() {
    let mut explained = storm(1000, ms(9));
    assert_eq!(broken(&explained), Some("requeue-storm"));
    explained.insert(3, (explained[2].0, changed("y", 1)));
    assert_ne!(broken(&explained), Some("requeue-storm"));
}

#[test]
fn thresholds_can_be_set() {
    let thresholds = Thresholds {
        storm_reconciles: 5,
        starved_after: ms(1),
        lost_after: ms(1),
        settling_reconciles: 1,
        ..Thresholds::default()
    };
    let settings = Settings { thresholds, ..Settings::default() };
    for (property, history) in [
        ("requeue-storm", storm(6, ms(10))),
        ("starved-key", starved(ms(2))),
        ("lost-key", lost(ms(2))),
        ("quiescence", ping_pong(2)),
    ] {
        assert_eq!(broken_with(settings, &history), Some(property));
    }
}

#[test]
fn what_may_be_taken_for_granted_is_said() {
    let is_allowed = |settings: Settings, history: History| {
        assert!(broken(&history).is_some());
        assert_eq!(broken_with(settings, &history), None);
    };
    let defaults = Settings::default();
    is_allowed(
        Settings { punctuality: Punctuality::Late, ..defaults },
        [now([deferred("x", ms(5), false)]), at(ms(6), [fired("x"), added("x")])].concat(),
    );
    is_allowed(Settings { order: Order::Any, ..defaults }, now([added("x"), added("y"), taken("y")]));
    is_allowed(
        Settings { overrides: Overrides::Used, ..defaults },
        now([deferred("x", ms(5), false), deferred("x", ms(9), false)]),
    );
    is_allowed(
        Settings { delays: Delays::Any, ..defaults },
        now([backoff("x", 0, ms(5)), backoff("x", 1, ms(4))]),
    );
    let doubling = Settings { delays: Delays::Exponential { base: ms(5), max: ms(15) }, ..defaults };
    let grows =
        [backoff("x", 0, ms(5)), backoff("x", 1, ms(10)), backoff("x", 2, ms(15)), backoff("x", 3, ms(15))];
    assert_eq!(broken_with(doubling, &now(grows)), None);
    assert_eq!(broken_with(doubling, &now([backoff("x", 0, ms(6))])), Some("backoff"));
}
