//! Triggers: when they add, how often, and when not any more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use fatum::runtime::End;
use fatum::store::{Client, Key, Payload, StoreError, WatchFrom};
use fatum::sync::{CancellationToken, Notify};
use fatum::systems::controller::{
    BoxError, Context, Controller, ControllerEvent, Handle, Repeat, Request, Shutdown, StorePublisher, Topic,
    TriggerId, install,
};
use fatum::task::spawn_named;
use fatum::time::sleep;

use super::endings::Tap;
use super::engine::{GATEWAY, Log, noting};
use super::feed::{Feed, request};
use super::stage::{Running, settle, stage, start};
use super::{ms, secs};

const SEEDS: u64 = 40;

/// A controller without a subscription, and what it reconciles.
fn bare() -> (Running, Log) {
    let (feed, log) = (Feed::default(), Log::default());
    (start(Controller::builder(Arc::new(feed.clone()), noting(&feed, &log))), log)
}

fn foo() -> Request {
    request(GATEWAY, "foo-1")
}

/// Adds a trigger that fires when it is told to.
async fn add(handle: &Handle, request: Request, repeat: Repeat) -> (Option<TriggerId>, Arc<Notify>) {
    let fire = Arc::new(Notify::new());
    let told = Arc::clone(&fire);
    let wait = move |_| {
        let told = Arc::clone(&told);
        async move {
            told.notified().await;
            Ok::<(), BoxError>(())
        }
    };
    (handle.add_trigger(request, wait, repeat).await, fire)
}

#[test]
fn a_trigger_adds_its_request_once_and_none_after_its_removal() {
    for seed in 0..SEEDS {
        let counts = stage(seed, || async {
            let ((running, log), mut counts) = (bare(), Vec::new());
            let (first, fire) = add(&running.handle, foo(), Repeat::Once).await;
            settle().await;
            counts.push(log.len());
            fire.notify_one();
            settle().await;
            counts.push(log.len());
            fire.notify_one();
            settle().await;
            counts.push(log.len());
            let (again, fire) = add(&running.handle, foo(), Repeat::Once).await;
            assert!(again > first);
            fire.notify_one();
            settle().await;
            counts.push(log.len());
            let (_, fire) = add(&running.handle, foo(), Repeat::Once).await;
            running.handle.remove_trigger(&foo()).await;
            fire.notify_one();
            settle().await;
            counts.push(log.len());
            running.handle.remove_trigger(&foo()).await;
            running.stop().await.unwrap();
            counts
        });
        assert_eq!(counts.passed(), [0, 1, 1, 2, 2], "seed {seed}");
    }
}

#[test]
fn a_trigger_that_re_arms_adds_each_time() {
    for seed in 0..SEEDS {
        let counts = stage(seed, || async {
            let ((running, log), mut counts) = (bare(), Vec::new());
            let (_, fire) = add(&running.handle, foo(), Repeat::Rearm).await;
            for _ in 0..3 {
                fire.notify_one();
                settle().await;
                counts.push(log.len());
            }
            running.handle.remove_trigger_and_join(&foo()).await;
            fire.notify_one();
            settle().await;
            counts.push(log.len());
            running.stop().await.unwrap();
            counts
        });
        assert_eq!(counts.passed(), [1, 2, 3, 3], "seed {seed}");
    }
}

/// TestDiscoveryChainController: a reconcile adds a trigger that watches another entry in the store.
#[test]
fn a_reconcile_that_watches_another_entry_is_called_when_that_is_written() {
    for seed in 0..SEEDS {
        let (log, counts) = (Log::default(), Arc::new(Mutex::new(Vec::new())));
        let mut sim = fatum::Sim::new(seed);
        install(&mut sim);
        let noted = log.clone();
        sim.host("controller").daemon().serve(move |host| {
            let (client, noted) = (host.store(), noted.clone());
            let reconciler = move |context: Context, request: Request| {
                noted.push(request.clone());
                let client = client.clone();
                async move {
                    let watch = move |_| written(client.clone(), Key::new("service-resolver", "foo-2"));
                    context.handle().add_trigger(request, watch, Repeat::Once).await;
                    Ok(())
                }
            };
            let controller = Controller::builder(Arc::new(StorePublisher::new(host.store())), reconciler);
            let controller = controller.subscribe(Topic::all(GATEWAY)).workers(10).build().0;
            controller.run(CancellationToken::new(), Shutdown::Drop)
        });
        let (store, slot) = (sim.store(), Arc::clone(&counts));
        sim.run(async move {
            for key in [(GATEWAY, "foo-1"), ("service-resolver", "foo-1"), ("service-resolver", "foo-2")] {
                store.put(key, "written")?;
                sleep(secs(1)).await;
                slot.lock().unwrap().push(log.len());
            }
            Ok::<(), StoreError>(())
        });
        assert_eq!(sim.finish().end, End::Passed, "seed {seed}");
        assert_eq!(*counts.lock().unwrap(), [1, 1, 2], "seed {seed}");
    }
}

/// Waits until an entry is written.
async fn written(client: Client, key: Key) -> Result<(), BoxError> {
    let mut watch = client.watch(key, WatchFrom::Snapshot).await?;
    while !matches!(watch.next().await?.payload, Payload::EndOfSnapshot) {}
    watch.next().await?;
    Ok(())
}

#[test]
fn once_a_removal_or_a_replacement_has_returned_the_older_trigger_adds_nothing() {
    let mut came_first = 0;
    for seed in 0..200 {
        let seen = stage(seed, || async {
            let (feed, tapped) = (Feed::default(), Log::default());
            let builder = Controller::builder(Arc::new(feed.clone()), noting(&feed, &Log::default()));
            let running = start(builder.queue_factory(Tap::factory(&tapped)));
            settle().await;
            let fires = |name| add(&running.handle, request("a", name), Repeat::Once);
            let ((_, removed), (_, replaced)) = (fires("removed").await, fires("replaced").await);
            let firing = spawn_named("fires", async move {
                removed.notify_one();
                replaced.notify_one();
            });
            let adds = |of: &str| tapped.names().iter().filter(|name| **name == of).count();
            running.handle.remove_trigger(&request("a", "removed")).await;
            let after_removal = adds("removed");
            let (_, _newer) = fires("replaced").await;
            let after_replacement = adds("replaced");
            firing.await.unwrap();
            settle().await;
            assert_eq!(adds("removed"), after_removal, "nothing is added after a removal");
            assert_eq!(adds("replaced"), after_replacement, "nor after a replacement");
            running.stop().await.unwrap();
            after_removal + after_replacement
        });
        came_first += seen.passed();
    }
    assert!((1..400).contains(&came_first), "some of both come first: {came_first}");
}

#[test]
fn a_trigger_of_the_time_before_the_run_starts_with_it() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let (controller, handle) =
                Controller::builder(Arc::new(feed.clone()), noting(&feed, &log)).build();
            let (_, dropped) = add(&handle, request("a", "removed"), Repeat::Once).await;
            let (_, kept) = add(&handle, request("a", "kept"), Repeat::Once).await;
            handle.remove_trigger(&request("a", "removed")).await;
            dropped.notify_one();
            kept.notify_one();
            settle().await;
            let token = CancellationToken::new();
            let run = spawn_named("controller", controller.run(token.clone(), Shutdown::Drain));
            settle().await;
            token.cancel();
            run.await.unwrap().unwrap();
            let (refused, late) = add(&handle, foo(), Repeat::Once).await;
            assert_eq!(refused, None, "the run is over");
            late.notify_one();
            settle().await;
            log.names()
        });
        assert_eq!(names.passed(), ["kept"], "seed {seed}");
    }
}

/// Runs one trigger; what it came to, and what was logged.
fn logged(
    fails: impl Fn() -> Result<(), BoxError> + Copy + Send + Sync + 'static,
) -> (Option<String>, Vec<String>) {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let run = fatum::log::captured(|| {
        let mut sim = fatum::Sim::builder().keep(fatum::sim::Keep::Trace).build();
        install(&mut sim);
        let slot = Arc::clone(&seen);
        sim.fold::<ControllerEvent, _>("seen", slot, |slot, _, event| {
            if let ControllerEvent::TriggerFired { error, .. } = event {
                *slot.lock().unwrap() = error.as_ref().map(ToString::to_string);
            }
            Ok(())
        });
        sim.run(async move {
            let (running, log) = bare();
            running.handle.add_trigger(foo(), move |_| async move { fails() }, Repeat::Once).await;
            settle().await;
            assert_eq!(log.len(), 1, "it is added anyway");
            running.stop().await.unwrap();
        });
        sim.finish()
    });
    assert!(run.end.is_passed(), "{:?}", run.end);
    let error = seen.lock().unwrap().take();
    (error, fatum::log::lines(run.trace()))
}

#[test]
fn a_trigger_that_fails_or_panics_says_so_and_adds_anyway() {
    for (fails, text) in [
        ((|| Err("no chain".into())) as fn() -> Result<(), BoxError>, "no chain"),
        (|| panic!("no chain"), "panic [recovered]: no chain"),
    ] {
        let (error, lines) = logged(fails);
        assert_eq!(error.as_deref(), Some(text));
        let line = "error while running trigger, adding re-reconcilation anyway";
        assert!(lines.iter().any(|logged| logged.contains(line)), "{lines:?}");
    }
}

#[test]
fn the_future_of_a_trigger_is_dropped_when_the_trigger_is() {
    for seed in 0..SEEDS {
        let dropped = stage(seed, || async {
            let (running, _) = bare();
            let dropped = Arc::new(AtomicU32::new(0));
            for name in ["removed", "replaced", "replaced", "stopped"] {
                let guard = Arc::new(CountsDrop(Arc::clone(&dropped)));
                let wait = move |cancel: CancellationToken| {
                    let guard = Arc::clone(&guard);
                    async move {
                        cancel.cancelled().await;
                        sleep(ms(1000)).await;
                        drop(guard);
                        Ok::<(), BoxError>(())
                    }
                };
                running.handle.add_trigger(request("a", name), wait, Repeat::Once).await;
            }
            running.handle.remove_trigger_and_join(&request("a", "removed")).await;
            let before_the_stop = dropped.load(Ordering::Relaxed);
            running.stop().await.unwrap();
            (before_the_stop, dropped.load(Ordering::Relaxed))
        });
        assert_eq!(seen_time(&dropped.events), ms(0), "seed {seed}");
        assert_eq!(dropped.passed(), (2, 4), "seed {seed}");
    }
}

fn seen_time(events: &[(fatum::time::Duration, ControllerEvent)]) -> fatum::time::Duration {
    events.last().map_or(ms(0), |(at, _)| *at)
}

struct CountsDrop(Arc<AtomicU32>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
