//! Every planted bug of the engine, and those of the queue that a controller meets, is caught by the property that its
//! documentation names, in a workload that the engine without it passes under all schedules tried.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fatum::runtime::End;
use fatum::sync::Notify;
use fatum::systems::controller::{
    Begin, BoxError, Context, Controller, ReconcileError, Repeat, Request, Shutdown, SubscriptionError,
    Topic, Variant, properties, requeue_after,
};
use fatum::task::spawn_named;
use fatum::time::{Duration, sleep};

use super::engine::read;
use super::feed::{Feed, request};
use super::stage::{Seen, settle, stage, start_to};
use super::{ms, secs};

const SEEDS: u64 = 200;

/// In which runs a bug shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    Always,
    /// Not in the baseline.
    Stirred,
}

fn planted() -> Vec<(Variant, &'static str, Shows)> {
    vec![
        (Variant::LostWakeUpAtStop, "deadlock", Shows::Stirred),
        (Variant::GetKeepsDirty, "at-least-once", Shows::Always),
        (Variant::AddIgnoresProcessing, "exclusive", Shows::Always),
        (Variant::DoneToHead, "fifo", Shows::Always),
        (Variant::DeferralEarly, "deferral", Shows::Always),
        (Variant::LimiterShared, "backoff", Shows::Always),
        (Variant::ForgetMissing, "backoff", Shows::Always),
        (Variant::DoneBeforeRequeue, "requeue-first", Shows::Always),
        (Variant::PanicSkipsDone, "panic-isolation", Shows::Always),
        (Variant::RetryUnseen, "at-least-once", Shows::Always),
        (Variant::TriggerFiresCancelled, "trigger", Shows::Stirred),
        (Variant::TriggerErrorSwallowed, "trigger", Shows::Always),
        (Variant::RequeueAfterAsFailure, "backoff", Shows::Always),
        (Variant::RequeueAfterKeepsFailures, "backoff", Shows::Always),
        (Variant::SuccessKeepsFailures, "backoff", Shows::Always),
        (Variant::IndexKept, "eventual-consistency", Shows::Always),
        (Variant::FramingAdvancesIndex, "eventual-consistency", Shows::Always),
        (Variant::SubscriptionErrorEndsRun, "subscription", Shows::Always),
        (Variant::RunEndsUnjoined, "joined", Shows::Always),
        (Variant::WorkBeforeSnapshot, "primed", Shows::Stirred),
    ]
}

/// What the n-th reconcile of each entry says.
fn says(name: &str, call: u32) -> Result<(), ReconcileError> {
    match (name, call) {
        ("fails", 1 | 2 | 4) | ("asks", 1) => Err(ReconcileError::failed("not yet")),
        ("asks", 2) => Err(requeue_after(ms(30))),
        ("panics", 1) => panic!("not yet"),
        _ => Ok(()),
    }
}

/// How long a reconcile takes.
fn takes(name: &str) -> Duration {
    match name {
        "slow" | "slower" => ms(50),
        "slowest" => ms(150),
        _ => ms(0),
    }
}

/// A life with all that can happen to a controller: failures, requeues, a panic, triggers, a forced close after a
/// restore, an error of a subscription, and a stop while something is reconciled.
async fn life(variant: Variant) {
    let (feed, calls) = (Feed::announcing(), Arc::new(Mutex::new(BTreeMap::new())));
    feed.put_all("a", &["fails", "asks", "panics", "calm"]);
    (0..5).for_each(|_| feed.put("a", "calm"));
    let reads = feed.clone();
    let reconciler = move |_: Context, request: Request| {
        let call = {
            let mut calls = calls.lock().unwrap();
            let call = calls.entry(request.clone()).or_insert(0);
            *call += 1;
            *call
        };
        let reads = reads.clone();
        async move {
            read(&reads, &request);
            sleep(takes(&request.name)).await;
            says(&request.name, call)
        }
    };
    let controller = Controller::builder(Arc::new(feed.clone()), reconciler)
        .subscribe(Topic::all("a"))
        .subscribe(Topic::all("b"))
        .begin(Begin::Primed)
        .workers(2)
        .variant(variant);
    let running = start_to(controller, Shutdown::Drain);
    let handle = running.handle.clone();
    handle.enqueue([request("c", "early")]).await;
    sleep(ms(200)).await;
    triggers(&handle).await;
    feed.restore("a", &["calm", "asks"], 1);
    sleep(ms(200)).await;
    feed.close(&SubscriptionError::other("broken pipe"));
    sleep(secs(2)).await;
    feed.put("a", "fails");
    sleep(secs(1)).await;
    handle.enqueue(["slow", "slower", "later"].map(|name| request("c", name))).await;
    settle().await;
    handle.enqueue(["slow", "slowest"].map(|name| request("c", name))).await;
    // The stop falls into the instant in which the second reconcile of `slow` ends; `slowest` is under way.
    sleep(ms(99)).await;
    running.stop().await.unwrap();
    sleep(secs(1)).await;
}

/// One that fails, and one that is removed while it may fire.
async fn triggers(handle: &fatum::systems::controller::Handle) {
    let fails = |_| async { Err::<(), BoxError>("no chain".into()) };
    handle.add_trigger(request("c", "triggered"), fails, Repeat::Once).await;
    settle().await;
    let fire = Arc::new(Notify::new());
    let told = Arc::clone(&fire);
    let wait = move |_| {
        let told = Arc::clone(&told);
        async move {
            told.notified().await;
            Ok::<(), BoxError>(())
        }
    };
    handle.add_trigger(request("c", "removed"), wait, Repeat::Once).await;
    let firing = spawn_named("fires", async move { fire.notify_one() });
    handle.remove_trigger(&request("c", "removed")).await;
    firing.await.unwrap();
}

fn lived(variant: Variant, seed: u64) -> Seen<()> {
    stage(seed, move || life(variant))
}

#[test]
fn the_correct_engine_lives_under_all_schedules() {
    for seed in 0..SEEDS {
        let seen = lived(Variant::Correct, seed);
        assert_eq!(seen.broken(), None, "seed {seed}: {:?}\n{}", seen.end, seen.listing());
        seen.passed();
    }
}

#[test]
fn every_planted_bug_of_the_engine_is_caught_by_its_property() {
    for (variant, property, shows) in planted() {
        let found = (0..SEEDS).find_map(|seed| lived(variant, seed).broken().map(|broken| (seed, broken)));
        let Some((seed, broken)) = found else { panic!("{variant} is not found in {SEEDS} runs") };
        assert_eq!(broken, property, "{variant} in run {seed}");
        assert_eq!(seed > 0, shows == Shows::Stirred, "{variant} in run {seed}");
        assert!(properties::NAMES.contains(&property) || property == "deadlock");
    }
}

#[test]
fn a_bug_of_the_engine_is_found_often() {
    for (variant, property, _) in planted() {
        let found =
            (1..=SEEDS).filter(|seed| lived(variant, *seed).broken().as_deref() == Some(property)).count();
        assert!(found >= 5, "{variant} is found in {found} of {SEEDS} runs");
    }
}

#[test]
fn every_variant_of_the_engine_is_planted_somewhere() {
    let rows = planted();
    let is_planted = |variant: &Variant| rows.iter().any(|(planted, _, _)| planted == variant);
    let first = Variant::ALL.iter().position(|variant| *variant == Variant::PanicSkipsDone).unwrap();
    assert!(Variant::ALL[first..].iter().all(is_planted));
}

/// A restored store, in a simulation that demands consistency; how the run ends.
fn restored(variant: Variant) -> End {
    let mut sim = fatum::Sim::new(1);
    let observed = properties::install(&mut sim);
    observed.demand_consistency(&mut sim);
    sim.run(async move {
        let feed = Feed::default();
        (0..5).for_each(|_| feed.put("a", "calm"));
        let reads = feed.clone();
        let reconciler = move |_: Context, request: Request| {
            read(&reads, &request);
            async { Ok(()) }
        };
        let controller = Controller::builder(Arc::new(feed.clone()), reconciler).subscribe(Topic::all("a"));
        let running = start_to(controller.variant(variant), Shutdown::Drain);
        settle().await;
        feed.restore("a", &["calm"], 1);
        sleep(secs(1)).await;
        running.stop().await.unwrap();
    });
    sim.finish().end
}

#[test]
fn a_simulation_can_demand_consistency_at_its_end() {
    assert_eq!(restored(Variant::Correct), End::Passed);
    match restored(Variant::IndexKept) {
        End::NotConverged { property, detail } => {
            assert_eq!(property, "eventual-consistency");
            assert!(detail.contains("is at version 1 since 1ms, and was last reconciled at 5"), "{detail}");
        }
        end => panic!("{end:?}"),
    }
}
