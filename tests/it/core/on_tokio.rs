//! The facade of tasks and time on a real tokio: each function does there what it does in a simulation.

use fatum::task::{self, JoinSet};
use fatum::time::{Duration, Instant, SystemTime, interval, sleep, sleep_until, timeout};
use fatum::{Sim, fault, is_simulated, rand};

const MS: Duration = Duration::from_millis(1);

/// Uses all of it; what was seen.
async fn everything() -> Vec<String> {
    let mut seen = Vec::new();
    let start = Instant::now();
    sleep(5 * MS).await;
    sleep_until(start + 6 * MS).await;
    seen.push(format!("slept: {}", start.elapsed() >= 6 * MS));
    seen.push(format!("timeout: {:?}", timeout(MS, std::future::pending::<()>()).await.is_err()));
    seen.push(format!("in time: {:?}", timeout(10_000 * MS, async { 7 }).await.ok()));
    let mut ticks = interval(MS);
    for _ in 0..3 {
        ticks.tick().await;
    }
    let spawned = task::spawn_named("child", async { task::yield_now().await });
    seen.push(format!("spawned: {:?}", spawned.await.is_ok()));
    let stuck = task::spawn(std::future::pending::<()>());
    stuck.abort();
    seen.push(format!("aborted: {:?}", stuck.await.is_err_and(|error| error.is_cancelled())));
    let panics = task::spawn(async { panic!("on purpose") });
    let error = panics.await.unwrap_err();
    seen.push(format!("panicked: {}", error.is_panic()));
    seen.push(format!("blocking: {:?}", task::spawn_blocking(|| 7).await.ok()));
    let mut set = JoinSet::new();
    for number in 0..5u64 {
        set.spawn(async move { number });
    }
    let mut sum = 0;
    while let Some(number) = set.join_next().await {
        sum += number.unwrap();
    }
    seen.push(format!("set: {sum}, {}", set.is_empty()));
    task::yield_point("a write").await;
    task::yield_read("a read").await;
    seen.push(format!("draw: {}", rand::rng().below(10) < 10));
    seen.push(format!("fault: {}", fault::failpoint("disk.write").await.is_ok()));
    seen.push(format!("clock: {}", SystemTime::now() > SystemTime::UNIX_EPOCH));
    let (left, right) = fatum::join!(async { 1 }, async { 2 });
    let won = fatum::select! { biased; () = std::future::ready(()) => "ready", () = sleep(MS) => "sleep" };
    seen.push(format!("joined: {left}{right}, won: {won}"));
    seen
}

fn in_a_simulation() -> Vec<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut sim = Sim::new(3);
    sim.run(async move {
        assert!(is_simulated());
        sender.send(everything().await).unwrap();
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
    receiver.recv().unwrap()
}

#[test]
fn tasks_and_time_do_on_many_threads_what_they_do_in_a_simulation() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let on_threads = runtime.block_on(async {
        assert!(!is_simulated());
        tokio::spawn(everything()).await.unwrap()
    });
    assert_eq!(on_threads, in_a_simulation());
}

#[test]
fn a_local_task_runs_in_a_local_set() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let shared = std::rc::Rc::new(7);
    let local = tokio::task::LocalSet::new();
    let seen =
        local.block_on(&runtime, async move { task::spawn_local(async move { *shared }).await.unwrap() });
    assert_eq!(seen, 7);
}
