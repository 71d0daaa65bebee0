//! Table 2.1, workers and runs: who is reconciled, what follows, how a run begins and ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use fatum::emit;
use fatum::sync::{CancellationToken, Semaphore};
use fatum::systems::controller::{
    AlreadyRunning, BoxFuture, Checked, Context, Controller, Fact, NotHeld, ReconcileError, Reconciler,
    Request, RequeueAfterError, RunError, Shutdown, Topic, WorkQueue, default_queue, requeue_after,
    requeue_now, transformer,
};
use fatum::task::spawn_named;
use fatum::time::{Duration, Instant, sleep};

use super::feed::{Feed, request};
use super::stage::{settle, stage, start, start_to};
use super::{ms, secs};

const SEEDS: u64 = 20;
pub(crate) const GATEWAY: &str = "ingress-gateway";

/// What was reconciled, in order; clones are one.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Request>>>);

impl Log {
    pub(crate) fn push(&self, request: Request) {
        self.0.lock().unwrap().push(request);
    }

    pub(crate) fn all(&self) -> Vec<Request> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.all().iter().map(|request| request.name.to_string()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }
}

/// Reads the entry, notes the request, and is done.
pub(crate) fn noting(feed: &Feed, log: &Log) -> impl Reconciler {
    let (feed, log) = (feed.clone(), log.clone());
    move |_: Context, request: Request| {
        read(&feed, &request);
        log.push(request);
        async { Ok(()) }
    }
}

/// Says which version a reconcile read.
pub(crate) fn read(feed: &Feed, request: &Request) {
    let version = feed.version(&request.kind, &request.name);
    emit(Fact::Read { key: request.to_string().into(), version });
}

/// A builder without a subscription, on an empty feed.
fn bare(reconciler: impl Reconciler) -> fatum::systems::controller::Builder {
    Controller::builder(Arc::new(Feed::default()), reconciler)
}

fn counts(log: &Log) -> BTreeMap<Request, u32> {
    let mut counts = BTreeMap::new();
    log.all().into_iter().for_each(|request| *counts.entry(request).or_insert(0) += 1);
    counts
}

/// Writes 200 entries, starts ten workers, and says how often each entry was reconciled.
async fn reconcile_all(kind: &'static str) -> BTreeMap<Request, u32> {
    let (feed, log) = (Feed::default(), Log::default());
    for number in 0..200 {
        feed.put(kind, &format!("foo-{number}"));
    }
    let controller = Controller::builder(Arc::new(feed.clone()), noting(&feed, &log));
    let running = start(controller.subscribe(Topic::all(kind)).workers(10));
    settle().await;
    running.stop().await.unwrap();
    counts(&log)
}

#[test]
fn every_entry_of_a_snapshot_is_reconciled_once() {
    let kinds = [
        "service-resolver",
        GATEWAY,
        "service-intentions",
        "api-gateway",
        "inline-certificate",
        "http-route",
        "tcp-route",
        "bound-api-gateway",
    ];
    for (seed, kind) in kinds.into_iter().enumerate() {
        let seen = stage(seed as u64, move || reconcile_all(kind)).passed();
        let expected = (0..200).map(|number| (request(kind, &format!("foo-{number}")), 1)).collect();
        assert_eq!(seen, expected, "{kind}");
    }
}

#[test]
fn a_transformer_says_what_is_reconciled() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let (to_foo, seen) = (transformer(|_| vec![request("foo", "bar")]), log.clone());
            let controller =
                Controller::builder(Arc::new(feed.clone()), move |_: Context, request: Request| {
                    seen.push(request);
                    async { Ok(()) }
                });
            let running = start(controller.subscribe_with(Topic::all("test"), [to_foo]));
            settle().await;
            // No fact about what is not reconciled itself.
            feed.put_unread("test", "test");
            settle().await;
            running.stop().await.unwrap();
            log.all()
        });
        assert_eq!(names.passed(), [request("foo", "bar")], "seed {seed}");
    }
}

#[test]
fn all_transformers_run_in_order() {
    let names = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        let named = |name: &'static str| transformer(move |_| vec![request("foo", name)]);
        let none = transformer(|_| Vec::new());
        let controller = Controller::builder(Arc::new(feed.clone()), noting(&feed, &log));
        let running = start(controller.subscribe_with(Topic::all("test"), [named("b"), none, named("a")]));
        settle().await;
        feed.put_unread("test", "test");
        settle().await;
        running.stop().await.unwrap();
        log.names()
    });
    assert_eq!(names.passed(), ["b", "a"]);
}

/// Counts the operations of the queue beneath.
struct Counting {
    queue: Arc<dyn WorkQueue<Request>>,
    counts: Counts,
}

#[derive(Clone, Default)]
struct Counts(Arc<[AtomicU32; 3]>);

impl Counts {
    /// Dones, adds after a time, rate-limited adds.
    fn get(&self) -> [u32; 3] {
        [0, 1, 2].map(|place| self.0[place].load(Ordering::Relaxed))
    }

    fn count(&self, place: usize) {
        self.0[place].fetch_add(1, Ordering::Relaxed);
    }
}

impl WorkQueue<Request> for Counting {
    fn get(&self) -> BoxFuture<'_, Option<Request>> {
        self.queue.get()
    }

    fn add(&self, item: Request) -> BoxFuture<'_, ()> {
        self.queue.add(item)
    }

    fn add_after(&self, item: Request, delay: Duration, overrides: bool) -> BoxFuture<'_, ()> {
        self.counts.count(1);
        self.queue.add_after(item, delay, overrides)
    }

    fn add_rate_limited(&self, item: Request) -> BoxFuture<'_, ()> {
        self.counts.count(2);
        self.queue.add_rate_limited(item)
    }

    fn forget(&self, key: &Request) {
        self.queue.forget(key);
    }

    fn done(&self, key: &Request) -> Result<(), NotHeld> {
        let done = self.queue.done(key);
        self.counts.count(0);
        done
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

    fn number(&self) -> u64 {
        self.queue.number()
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.queue.ended()
    }
}

#[derive(Clone, Copy)]
enum Says {
    Done,
    Error,
    Now,
}

/// One entry, a reconciler that waits for each step, and what is counted before and after each.
async fn stepping(says: Says) -> Vec<[u32; 3]> {
    let (feed, counts) = (Feed::default(), Counts::default());
    let (steps, now_says) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(says)));
    let (step, reads, said) = (Arc::clone(&steps), feed.clone(), Arc::clone(&now_says));
    let reconciler = move |_: Context, request: Request| {
        let (step, reads, said) = (Arc::clone(&step), reads.clone(), Arc::clone(&said));
        async move {
            read(&reads, &request);
            step.acquire().await.unwrap().forget();
            match *said.lock().unwrap() {
                Says::Done => Ok(()),
                Says::Error => Err(ReconcileError::failed("error")),
                Says::Now => Err(requeue_now()),
            }
        }
    };
    let counting = counts.clone();
    let controller = Controller::builder(Arc::new(feed.clone()), reconciler)
        .subscribe(Topic::all(GATEWAY))
        .workers(0)
        .backoff(ms(1), ms(1))
        .unwrap()
        .queue_factory(move |settings| {
            Arc::new(Counting { queue: default_queue(settings), counts: counting })
        });
    let running = start(controller);
    feed.put(GATEWAY, "foo");
    let mut seen = Vec::new();
    sleep(ms(5)).await;
    seen.push(counts.get());
    steps.add_permits(1);
    sleep(ms(5)).await;
    seen.push(counts.get());
    *now_says.lock().unwrap() = Says::Done;
    steps.add_permits(1);
    sleep(ms(5)).await;
    seen.push(counts.get());
    running.stop().await.unwrap();
    seen
}

#[test]
fn what_a_reconcile_says_decides_what_follows() {
    for seed in 0..SEEDS {
        let steps = |says| stage(seed, move || stepping(says)).passed();
        assert_eq!(steps(Says::Done), [[0, 0, 0], [1, 0, 0], [1, 0, 0]], "seed {seed}");
        assert_eq!(steps(Says::Error), [[0, 0, 0], [1, 0, 1], [2, 0, 1]], "seed {seed}");
        assert_eq!(steps(Says::Now), [[0, 0, 0], [1, 1, 0], [2, 1, 0]], "seed {seed}");
    }
}

#[test]
fn a_controller_that_runs_is_neither_configured_nor_run_again() {
    for seed in 0..SEEDS {
        let (while_it_runs, ended) = stage(seed, || async {
            let checked = Checked::new(bare(|_: Context, _: Request| async { Ok(()) }));
            assert_eq!(checked.workers(3), Ok(()));
            assert!(checked.backoff(ms(2), ms(1)).unwrap().is_err());
            let (token, again) = (CancellationToken::new(), checked.clone());
            let (stop, begun) = (token.clone(), checked.clone());
            let run = spawn_named("controller", async move { begun.run(stop, Shutdown::Drop, drop).await });
            settle().await;
            let configured = [
                again.subscribe(Topic::all("x"), []),
                again.backoff(ms(1), ms(1)).map(drop),
                again.workers(1),
                again.queue_factory(default_queue),
            ];
            let run_again = again.run(token.clone(), Shutdown::Drop, drop).await;
            token.cancel();
            run.await.unwrap().unwrap();
            ((configured, run_again.unwrap_err().to_string()), again.workers(1))
        })
        .passed();
        assert_eq!(while_it_runs.0, [Err(AlreadyRunning); 4]);
        assert_eq!(AlreadyRunning.to_string(), "cannot configure controller once Run is called");
        assert_eq!(while_it_runs.1, "Run cannot be called more than once");
        assert_eq!(ended, Err(AlreadyRunning));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not ready")]
struct NotReady(#[source] RequeueAfterError);

#[derive(Debug, thiserror::Error)]
#[error("wrapped twice")]
struct Wrapped(#[source] NotReady);

#[test]
fn a_wrapped_requeue_is_found_among_the_sources() {
    assert_eq!(requeue_after(secs(90)).to_string(), "requeue at 90s");
    let wrapped = ReconcileError::from(Wrapped(NotReady(RequeueAfterError(ms(7)))));
    assert_eq!(wrapped.requeue_delay(), Some(ms(7)));
    assert_eq!(wrapped.to_string(), "wrapped twice");
    assert!(matches!(ReconcileError::from(RequeueAfterError(ms(7))), ReconcileError::RequeueAfter(_)));
    assert_eq!(ReconcileError::failed("no").requeue_delay(), None);
}

/// When the one request was reconciled, in milliseconds, if its reconciles say these one after the other.
fn times(seed: u64, says: impl Fn(u32) -> Result<(), ReconcileError> + Send + Sync + 'static) -> Vec<u128> {
    stage(seed, || async move {
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let running = start(bare(move |_: Context, _: Request| {
            let call = {
                let mut seen = seen.lock().unwrap();
                seen.push(Instant::now().since_start().as_millis());
                seen.len() as u32
            };
            let said = says(call);
            async { said }
        }));
        running.handle.enqueue([request("a", "a")]).await;
        sleep(secs(3000)).await;
        running.stop().await.unwrap();
        Arc::into_inner(times).map_or_else(Vec::new, |times| times.into_inner().unwrap())
    })
    .passed()
}

#[test]
fn failures_are_retried_after_growing_delays_until_a_success() {
    for seed in 0..SEEDS {
        let fails = |_| Err(ReconcileError::failed("no"));
        assert_eq!(times(seed, move |call| if call < 5 { fails(call) } else { Ok(()) }), [0, 5, 15, 35, 75]);
        let asks = move |call| match call {
            1 | 2 | 4 => fails(call),
            3 => Err(NotReady(RequeueAfterError(secs(2))).into()),
            _ => Ok(()),
        };
        assert_eq!(times(seed, asks), [0, 5, 15, 2015, 2020], "the failures before are forgotten");
    }
}

#[test]
fn a_panic_is_one_rate_limited_retry_and_its_worker_goes_on() {
    for seed in 0..SEEDS {
        let panics = |call| if call == 1 { panic!("no") } else { Ok(()) };
        assert_eq!(times(seed, panics), [0, 5]);
    }
    let recovered = fatum::systems::controller::Recovered("no".to_owned());
    assert_eq!(recovered.to_string(), "panic [recovered]: no");
}

#[test]
fn what_comes_before_the_run_waits_for_it() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let (controller, handle) = bare(noting(&feed, &log)).build();
            handle.enqueue([request("a", "early"), request("a", "early")]).await;
            assert!(handle.queue().is_none());
            let token = CancellationToken::new();
            let run = spawn_named("controller", controller.run(token.clone(), Shutdown::Drop));
            settle().await;
            assert_eq!(handle.metrics().map(|metrics| (metrics.adds, metrics.depth)), Some((1, 0)));
            token.cancel();
            run.await.unwrap().unwrap();
            handle.enqueue([request("a", "late")]).await;
            log.names()
        });
        assert_eq!(names.passed(), ["early"], "seed {seed}");
    }
}

/// Three requests that take 100 ms each and one worker; stopped after 150 ms. How many ended well, how many were told
/// to end, and how long it took.
async fn stopped(shutdown: Shutdown, drain_max: Option<Duration>) -> (u32, u32, Duration) {
    let counts = Counts::default();
    let seen = counts.clone();
    let builder = bare(move |context: Context, _: Request| {
        let seen = seen.clone();
        async move {
            let told = context.cancellation().run_until_cancelled(sleep(ms(100))).await.is_none();
            seen.count(usize::from(told));
            Ok(())
        }
    });
    let builder = match drain_max {
        None => builder,
        Some(limit) => builder.drain_max(limit),
    };
    let running = start_to(builder, shutdown);
    running.handle.enqueue(["a", "b", "c", "d"].map(|name| request("a", name))).await;
    sleep(ms(150)).await;
    running.stop().await.unwrap();
    let [well, told, _] = counts.get();
    (well, told, Instant::now().since_start())
}

#[test]
fn a_stop_drops_or_drains_and_joins_every_task() {
    for seed in 0..SEEDS {
        let at_stop = |shutdown, limit| stage(seed, move || stopped(shutdown, limit)).passed();
        assert_eq!(at_stop(Shutdown::Drop, None), (1, 1, ms(150)), "seed {seed}");
        assert_eq!(at_stop(Shutdown::Drain, None), (4, 0, ms(400)), "seed {seed}");
        assert_eq!(at_stop(Shutdown::Drain, Some(ms(100))), (2, 1, ms(250)), "seed {seed}");
    }
}

#[test]
fn a_panic_of_a_transformer_ends_the_run_with_its_cause() {
    for seed in 0..SEEDS {
        let error = stage(seed, || async {
            let feed = Feed::default();
            let builder =
                Controller::builder(Arc::new(feed.clone()), |_: Context, _: Request| async { Ok(()) });
            let broken = transformer(|_| panic!("no such field"));
            let running = start(builder.subscribe_with(Topic::all("a"), [broken]).workers(3));
            settle().await;
            feed.put_unread("a", "a");
            running.ended().await.unwrap_err()
        });
        let error = error.passed();
        assert!(matches!(error, RunError::Panicked { .. }));
        assert_eq!(error.to_string(), "subscription-a panicked: no such field");
    }
}

#[test]
fn a_run_that_is_dropped_leaves_nothing_behind() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let noted = log.clone();
            let builder = Controller::builder(Arc::new(feed.clone()), move |_: Context, request: Request| {
                let noted = noted.clone();
                async move {
                    sleep(ms(10)).await;
                    noted.push(request);
                    Ok(())
                }
            });
            let (controller, handle) = builder.subscribe(Topic::all("a")).build();
            handle.enqueue([request("b", "b")]).await;
            let never = std::future::pending::<Result<(), fatum::systems::controller::BoxError>>;
            handle.add_trigger(request("c", "c"), move |_| never(), Default::default()).await;
            let run = controller.run(CancellationToken::new(), Shutdown::Drain);
            assert!(fatum::time::timeout(ms(5), run).await.is_err());
            sleep(ms(100)).await;
            assert_eq!(feed.open(), 0);
            log.names()
        });
        assert_eq!(names.passed(), Vec::<String>::new(), "seed {seed}");
    }
}
