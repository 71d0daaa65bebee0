//! How runs end: while a trigger fires, before the first snapshots, with somebody who never waits, and before they
//! have begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fatum::sync::{CancellationToken, Notify};
use fatum::systems::controller::{
    AddPolicy, Begin, BoxError, BoxFuture, Builder, Context, Controller, ControllerEvent, DeferQueue, Handle,
    NotHeld, Publisher, QueueSettings, Repeat, Request, RunError, Shutdown, Subscription, SubscriptionError,
    Supervision, Topic, WorkQueue, default_queue, install, requeue_after,
};
use fatum::task::{spawn, spawn_named, yield_now};
use fatum::time::{Duration, Instant, sleep, timeout};

use super::engine::{Log, noting};
use super::feed::{Feed, request};
use super::stage::{settle, stage, start, start_to};
use super::{ms, secs, simulate_seeded, work};

const SEEDS: u64 = 200;

/// A queue that says nothing itself: it notes what was added, and breaks at what is called `broken`.
pub(crate) struct Tap {
    queue: Arc<dyn WorkQueue<Request>>,
    adds: Log,
}

impl Tap {
    pub(crate) fn factory(adds: &Log) -> impl FnOnce(QueueSettings) -> Arc<dyn WorkQueue<Request>> + use<> {
        let adds = adds.clone();
        |settings| Arc::new(Tap { queue: default_queue(settings), adds })
    }
}

impl WorkQueue<Request> for Tap {
    fn get(&self) -> BoxFuture<'_, Option<Request>> {
        self.queue.get()
    }

    fn add(&self, item: Request) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            assert!(&*item.name != "broken", "the queue is broken");
            self.queue.add(item.clone()).await;
            self.adds.push(item);
        })
    }

    fn add_after(&self, item: Request, delay: Duration, overrides: bool) -> BoxFuture<'_, ()> {
        self.queue.add_after(item, delay, overrides)
    }

    fn add_rate_limited(&self, item: Request) -> BoxFuture<'_, ()> {
        self.queue.add_rate_limited(item)
    }

    fn forget(&self, key: &Request) {
        self.queue.forget(key);
    }

    fn done(&self, key: &Request) -> Result<(), NotHeld> {
        self.queue.done(key)
    }

    fn stop(&self, how: Shutdown) {
        self.queue.stop(how);
    }

    fn drained(&self) -> BoxFuture<'_, ()> {
        self.queue.drained()
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn num_requeues(&self, key: &Request) -> u32 {
        self.queue.num_requeues(key)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.queue.ended()
    }
}

/// A publisher that refuses at once; of the kind `b`, never.
struct Refuses(SubscriptionError);

impl Publisher for Refuses {
    fn subscribe<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> BoxFuture<'a, Result<Box<dyn Subscription>, SubscriptionError>> {
        Box::pin(async move {
            if &*topic.kind == "b" {
                std::future::pending::<()>().await;
            }
            Err(self.0.clone())
        })
    }
}

fn bare(log: &Log) -> Builder {
    let feed = Feed::default();
    Controller::builder(Arc::new(feed.clone()), noting(&feed, log))
}

/// Adds a trigger that fires when it is told to; `alive` has one more owner while its task does.
async fn add(handle: &Handle, name: &str, repeat: Repeat, alive: &Arc<()>) -> Arc<Notify> {
    let fire = Arc::new(Notify::new());
    let (told, alive) = (Arc::clone(&fire), Arc::clone(alive));
    let wait = move |_| {
        let (told, alive) = (Arc::clone(&told), Arc::clone(&alive));
        async move {
            told.notified().await;
            drop(alive);
            Ok::<(), BoxError>(())
        }
    };
    handle.add_trigger(request("a", name), wait, repeat).await;
    fire
}

#[test]
fn a_stop_in_the_instant_of_a_fire_leaves_no_task_behind() {
    for (seed, shutdown) in (0..SEEDS).flat_map(|seed| [(seed, Shutdown::Drop), (seed, Shutdown::Drain)]) {
        let seen = stage(seed, move || async move {
            let (log, alive) = (Log::default(), Arc::new(()));
            let running = start_to(bare(&log), shutdown);
            let once = add(&running.handle, "once", Repeat::Once, &alive).await;
            let again = add(&running.handle, "again", Repeat::Rearm, &alive).await;
            settle().await;
            once.notify_one();
            again.notify_one();
            running.stop().await.unwrap();
            Arc::strong_count(&alive)
        });
        assert_eq!(seen.passed(), 1, "seed {seed}, {shutdown:?}");
    }
}

#[test]
fn a_run_waits_for_a_trigger_that_somebody_else_waits_for_too() {
    for seed in 0..SEEDS {
        let seen = stage(seed, || async {
            let (log, alive) = (Log::default(), Arc::new(()));
            let running = start(bare(&log));
            let fire = add(&running.handle, "once", Repeat::Once, &alive).await;
            settle().await;
            fire.notify_one();
            let handle = running.handle.clone();
            let joins = spawn_named("joins", async move {
                handle.remove_trigger_and_join(&request("a", "once")).await;
            });
            running.stop().await.unwrap();
            let left = Arc::strong_count(&alive);
            joins.await.unwrap();
            left
        });
        assert_eq!(seen.passed(), 1, "seed {seed}");
    }
}

#[test]
fn a_trigger_whose_run_is_dropped_while_it_fires_is_gone() {
    for seed in 0..SEEDS {
        let seen = stage(seed, move || async move {
            let (log, alive) = (Log::default(), Arc::new(()));
            let (controller, handle) = bare(&log).build();
            let run = spawn_named("controller", controller.run(CancellationToken::new(), Shutdown::Drop));
            let fire = add(&handle, "once", Repeat::Rearm, &alive).await;
            settle().await;
            fire.notify_one();
            for _ in 0..seed % 5 {
                yield_now().await;
            }
            run.abort();
            assert!(run.await.is_err());
            let again = |_| std::future::ready(Ok::<(), BoxError>(()));
            let added = handle.add_trigger(request("a", "once"), again, Repeat::Once);
            let refused = timeout(secs(1), added).await;
            settle().await;
            (refused, Arc::strong_count(&alive))
        });
        assert_eq!(seen.passed(), (Ok(None), 1), "seed {seed}");
    }
}

#[test]
fn a_queue_that_panics_at_a_trigger_ends_the_run() {
    for seed in 0..20 {
        let seen = stage(seed, || async {
            let (log, alive) = (Log::default(), Arc::new(()));
            let running = start(bare(&log).queue_factory(Tap::factory(&log)));
            let fire = add(&running.handle, "broken", Repeat::Rearm, &alive).await;
            fire.notify_one();
            let handle = running.handle.clone();
            let error = running.ended().await.unwrap_err();
            let again = |_| std::future::ready(Ok::<(), BoxError>(()));
            let refused = handle.add_trigger(request("a", "broken"), again, Repeat::Once).await;
            (error.to_string(), refused, Arc::strong_count(&alive))
        });
        let said = "trigger-1 panicked: the queue is broken".to_owned();
        assert_eq!(seen.passed(), (said, None, 1), "seed {seed}");
    }
}

#[test]
fn whoever_never_waits_does_not_keep_a_run_from_its_end() {
    for seed in 0..20 {
        let log = Log::default();
        let seen = stage(seed, move || async move {
            let publisher = Arc::new(Refuses(SubscriptionError::ForceClosed));
            let slammed = Controller::builder(publisher, noting(&Feed::default(), &log));
            let running = start(slammed.subscribe(Topic::all("a")));
            let ready = |_| std::future::ready(Ok::<(), BoxError>(()));
            running.handle.add_trigger(request("a", "ready"), ready, Repeat::Rearm).await;
            for _ in 0..20 {
                yield_now().await;
            }
            running.stop().await
        });
        seen.passed().unwrap();
    }
}

#[test]
fn nothing_is_reconciled_by_a_drain_before_the_first_snapshots() {
    for seed in 0..SEEDS {
        let seen = stage(seed, || async {
            let log = Log::default();
            let publisher = Arc::new(Refuses(SubscriptionError::ForceClosed));
            let builder = Controller::builder(publisher, noting(&Feed::default(), &log));
            let builder = builder.subscribe(Topic::all("b")).begin(Begin::Primed);
            let running = start_to(builder, Shutdown::Drain);
            running.handle.enqueue([request("a", "early")]).await;
            settle().await;
            running.stop().await.unwrap();
            log.names()
        });
        assert!(seen.passed().is_empty(), "seed {seed}");
    }
}

#[test]
fn a_controller_that_is_never_run_keeps_nothing() {
    stage(0, || async {
        let (log, alive) = (Log::default(), Arc::new(()));
        let (controller, handle) = bare(&log).build();
        handle.enqueue([request("a", "x"), request("a", "x")]).await;
        let _fire = add(&handle, "once", Repeat::Once, &alive).await;
        drop(controller);
        assert_eq!(Arc::strong_count(&alive), 1);
        let ready = |_| std::future::ready(Ok::<(), BoxError>(()));
        assert_eq!(handle.add_trigger(request("a", "late"), ready, Repeat::Once).await, None);
        handle.enqueue([request("a", "late")]).await;
        assert!(handle.queue().is_none());
    })
    .passed();
}

#[test]
fn what_is_asked_twice_before_the_run_is_added_once() {
    let seen = stage(0, || async {
        let (log, adds) = (Log::default(), Log::default());
        let (controller, handle) = bare(&log).queue_factory(Tap::factory(&adds)).build();
        handle.enqueue(["x", "y", "x"].map(|name| request("a", name))).await;
        let token = CancellationToken::new();
        let run = spawn_named("controller", controller.run(token.clone(), Shutdown::Drain));
        settle().await;
        token.cancel();
        run.await.unwrap().unwrap();
        adds.names()
    });
    assert_eq!(seen.passed(), ["x", "y"]);
}

#[test]
fn runs_on_queues_without_a_number_are_told_apart() {
    let seen = stage(0, || async {
        let log = Log::default();
        let running = [(); 2].map(|()| start(bare(&log).queue_factory(Tap::factory(&Log::default()))));
        running[0].handle.enqueue([request("a", "x")]).await;
        running[1].handle.enqueue([request("a", "x")]).await;
        settle().await;
        for run in running {
            run.stop().await.unwrap();
        }
        log.len()
    });
    let runs = seen.events.iter().filter(|(_, event)| matches!(event, ControllerEvent::RunStarted { .. }));
    let numbers: std::collections::BTreeSet<u64> = runs.map(|(_, event)| event.queue()).collect();
    assert_eq!(numbers.len(), 2);
    assert!(!numbers.contains(&0));
    assert_eq!(seen.passed(), 2);
}

#[test]
fn the_first_of_two_fatal_causes_is_told() {
    for seed in 0..20 {
        let seen = stage(seed, || async {
            let publisher = Arc::new(Refuses(SubscriptionError::other("broken pipe")));
            let builder = Controller::builder(publisher, noting(&Feed::default(), &Log::default()));
            let policy = Supervision { failures_max: Some(0), ..Supervision::default() };
            let builder = builder.subscribe(Topic::all("a")).subscribe(Topic::all("c")).supervision(policy);
            start(builder).ended().await
        });
        let mut closed = seen.events.iter().filter_map(|(_, event)| match event {
            ControllerEvent::SubscriptionClosed { topic, .. } => Some(topic.to_string()),
            _ => None,
        });
        let first = closed.next().unwrap();
        match seen.value.unwrap() {
            Err(RunError::Subscription { topic, .. }) => assert_eq!(topic.to_string(), first, "seed {seed}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_run_that_is_dropped_complains_of_nobody() {
    let run = fatum::log::captured(|| {
        let mut sim = fatum::Sim::builder().keep(fatum::sim::Keep::Trace).build();
        install(&mut sim);
        sim.run(async {
            let (controller, _handle) = bare(&Log::default()).build();
            let run = spawn_named("controller", controller.run(CancellationToken::new(), Shutdown::Drop));
            settle().await;
            run.abort();
            assert!(run.await.is_err());
            settle().await;
        });
        sim.finish()
    });
    assert!(run.end.is_passed(), "{:?}", run.end);
    let lines = fatum::log::lines(run.trace());
    assert!(!lines.iter().any(|line| line.contains("the controller ends")), "{lines:?}");
}

#[test]
fn an_add_drops_a_requeue_that_is_to_come_unless_it_is_told_not_to() {
    for (policy, times) in [(AddPolicy::SupersedeDeferral, 2), (AddPolicy::KeepDeferral, 3)] {
        let seen = stage(0, move || async move {
            let calls = Log::default();
            let noted = calls.clone();
            let reconciler = move |_: Context, request: Request| {
                noted.push(request);
                let is_first = noted.len() == 1;
                async move { if is_first { Err(requeue_after(ms(50))) } else { Ok(()) } }
            };
            let builder = Controller::builder(Arc::new(Feed::default()), reconciler).add_policy(policy);
            let running = start(builder);
            running.handle.enqueue([request("a", "x")]).await;
            settle().await;
            running.handle.enqueue([request("a", "x")]).await;
            sleep(ms(100)).await;
            running.stop().await.unwrap();
            calls.len()
        });
        assert_eq!(seen.passed(), times, "{policy:?}");
    }
}

#[test]
fn nothing_deferred_is_handed_out_after_the_cancel() {
    for seed in 0..SEEDS {
        let seen = simulate_seeded(seed, || async {
            let (queue, token) = (Arc::new(DeferQueue::new()), CancellationToken::new());
            let (is_cancelled, is_late) =
                (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            queue.defer(work("a"), Instant::now() + ms(10), false).await;
            let (items, ends) = (Arc::clone(&queue), token.clone());
            let (cancelled, late) = (Arc::clone(&is_cancelled), Arc::clone(&is_late));
            let processing = spawn(async move {
                let sink = |_| late.store(cancelled.load(Ordering::Relaxed), Ordering::Relaxed);
                items.process(&ends, sink).await;
            });
            sleep(ms(10)).await;
            token.cancel();
            is_cancelled.store(true, Ordering::Relaxed);
            processing.await.unwrap();
            is_late.load(Ordering::Relaxed)
        });
        assert!(!seen.value, "seed {seed}");
    }
}
