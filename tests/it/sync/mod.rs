//! `fatum::sync`: tokio's semantics in both worlds, what a simulation adds, and that nothing in it is random.

mod barrier;
mod broadcast;
mod cancellation_token;
mod golden;
mod join;
mod mpsc;
mod mutex;
mod notify;
mod objects;
#[cfg(feature = "tokio")]
mod on_tokio;
mod once_cell;
mod oneshot;
mod rwlock;
mod select;
mod semaphore;
mod send;
mod wake_order;
mod watch;

use fatum::runtime::Wait;
use fatum::sim::Keep;
use fatum::{Run, Sim, task};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Seeds that a contention program is run with.
const SEEDS: u64 = 200;

/// Polls once, as nobody's task.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The output of a future that is ready at once.
#[track_caller]
fn ready<F: Future>(future: F) -> F::Output {
    match poll(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("pending"),
    }
}

fn run(seed: u64, program: fn(&mut Sim)) -> Run {
    let mut sim = Sim::new(seed);
    program(&mut sim);
    sim.finish()
}

/// Runs a future in a simulation of its own, for each of some seeds; every run passes.
fn simulate<F: Future<Output = ()> + 'static>(main: impl Fn() -> F) {
    for seed in 0..50 {
        let mut sim = Sim::new(seed);
        sim.run(main());
        let run = sim.finish();
        assert!(run.end.is_passed(), "seed {seed}: {:?}", run.end);
    }
}

/// Five tasks at once, to their end.
async fn five<F: Future<Output = ()> + Send + 'static>(worker: impl Fn(u64) -> F) {
    let handles: Vec<_> = (0..5).map(|who| task::spawn(worker(who))).collect();
    for handle in handles {
        handle.await.unwrap();
    }
}

/// Puts something into the digests.
fn seen(who: u64, what: u64) {
    fatum::event!("seen", who = who, what = what);
}

/// What the task `waiter` waits for in a program that gets stuck.
fn stuck(program: impl Fn(&mut Sim)) -> Vec<Wait> {
    let mut sim = Sim::builder().seed(1).keep(Keep::Tape).build();
    program(&mut sim);
    let run = sim.finish();
    let waiter = run.blocked.into_iter().find(|blocked| blocked.task.ends_with("/waiter"));
    waiter.unwrap_or_else(|| panic!("no waiter, but {:?}", run.end)).waits
}

/// The source line of a place.
fn line(place: &str) -> String {
    let (path, line) = place.rsplit_once(':').unwrap();
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap().trim().to_owned()
}

/// Compares a wait with its operation, the object's kind, the source lines of its creation and of the await, and who
/// holds it.
#[track_caller]
fn expect(wait: &Wait, operation: &str, kind: &str, created: &str, awaited: &str, holders: &[&str]) {
    assert_eq!(wait.operation, operation);
    let (what, place) = wait.resource.split_once(" created at ").unwrap();
    assert_eq!(what, kind);
    assert!(line(place).contains(created), "{place}: {}", line(place));
    let place = wait.place.as_deref().unwrap();
    assert!(line(place).contains(awaited), "{place}: {}", line(place));
    assert_eq!(wait.holders, holders);
}
