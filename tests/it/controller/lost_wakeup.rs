//! A user's own queue with a lost wake-up at its end, behind the queue factory: a worker parks between the stop flag and
//! the broadcast, and nobody wakes it again.

use fatum::check::{Check, Report};
use fatum::store::Key;
use fatum::sync::{CancellationToken, Notify};
use fatum::systems::controller::{
    BoxFuture, Controller, Item, NotHeld, Request, Shutdown, StorePublisher, Topic, WorkQueue,
};
use fatum::task::yield_point;
use fatum::time::{Duration, sleep};
use fatum::{Sim, event};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What it holds, and a flag that is read and written without the lock under which workers decide to park.
#[derive(Default)]
struct HastyQueue {
    items: Mutex<(VecDeque<Request>, BTreeSet<Request>)>,
    stopped: AtomicBool,
    wake: Notify,
    parks_safely: bool,
}

impl WorkQueue<Request> for HastyQueue {
    fn get(&self) -> BoxFuture<'_, Option<Request>> {
        Box::pin(async move {
            loop {
                if let Some(item) = self.items.lock().unwrap().0.pop_front() {
                    return Some(item);
                }
                // Whoever asks to be woken before it looks at the flag cannot miss the broadcast.
                let early = self.parks_safely.then(|| self.wake.notified());
                if self.stopped.load(Ordering::Relaxed) {
                    return None;
                }
                yield_point("queue.stop-flag").await;
                event!("queue.parks");
                match early {
                    Some(woken) => woken.await,
                    None => self.wake.notified().await,
                }
            }
        })
    }

    fn add(&self, item: Request) -> BoxFuture<'_, ()> {
        let mut items = self.items.lock().unwrap();
        if !self.stopped.load(Ordering::Relaxed) && items.1.insert(item.clone()) {
            items.0.push_back(item);
            self.wake.notify_one();
        }
        Box::pin(std::future::ready(()))
    }

    fn add_after(&self, item: Request, _delay: Duration, _overrides: bool) -> BoxFuture<'_, ()> {
        self.add(item)
    }

    fn add_rate_limited(&self, item: Request) -> BoxFuture<'_, ()> {
        self.add(item)
    }

    fn forget(&self, _key: &Request) {}

    fn done(&self, key: &Request) -> Result<(), NotHeld> {
        let held = self.items.lock().unwrap().1.remove(&key.key());
        if held { Ok(()) } else { Err(NotHeld::new(key)) }
    }

    fn stop(&self, _how: Shutdown) {
        event!("queue.stop-flag", stopped = true);
        self.stopped.store(true, Ordering::Relaxed);
        event!("queue.broadcast");
        self.wake.notify_waiters();
    }

    fn drained(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn len(&self) -> usize {
        self.items.lock().unwrap().0.len()
    }

    fn num_requeues(&self, _key: &Request) -> u32 {
        0
    }
}

/// A controller that runs for a while and is stopped; its queue is the user's.
fn program(parks_safely: bool) -> impl Fn(&mut Sim) + Send + Sync {
    move |sim| {
        let store = sim.store();
        sim.host("controller").run(move |host| async move {
            let publisher = Arc::new(StorePublisher::new(host.store()));
            let (controller, _handle) = Controller::builder(publisher, |_, _| async { Ok(()) })
                .subscribe(Topic::all("site"))
                .workers(2)
                .queue_factory(move |_| Arc::new(HastyQueue { parks_safely, ..HastyQueue::default() }))
                .build();
            let stop = CancellationToken::new();
            let stopper = stop.clone();
            fatum::task::spawn_named("stopper", async move {
                sleep(Duration::from_secs(1)).await;
                stopper.cancel();
            });
            controller.run(stop, Shutdown::Drain).await
        });
        sim.host("user").run(move |_| async move {
            sleep(Duration::from_secs(1)).await;
            store.put(Key::new("site", "shop"), 1)
        });
    }
}

fn sweep(base: u64, parks_safely: bool) -> Report {
    let check = Check::new("a user's queue").failures_dir(None).seed_base(base).runs(1_000);
    Check { shrunk_max: 1, ..check }.sweep(program(parks_safely), &|_| {}).unwrap()
}

#[test]
fn a_lost_wake_up_at_shutdown_is_found_in_nineteen_of_twenty_ranges_and_told() {
    let reports: Vec<Report> = (0..20).map(|range| sweep(range * 1_000, false)).collect();
    let found = reports.iter().filter(|report| !report.failures.is_empty()).count();
    assert!(found >= 19, "found in {found} of 20 ranges");
    for failure in reports.iter().flat_map(|report| &report.failures) {
        let story = failure.story.join("\n");
        assert_eq!(failure.end.kind(), "deadlock", "{story}");
        assert!(failure.tape.deviations() <= 3, "{story}");
        assert!(
            story.contains("worker-") && story.contains("queue.stop-flag") && story.contains("1s"),
            "{story}"
        );
        let page = fatum::check::report::render_failure(failure);
        assert!(page.contains("sync.notified at tests/it/controller/lost_wakeup.rs:"), "{page}");
    }
}

#[test]
fn a_queue_that_registers_before_it_looks_loses_no_wake_up() {
    let report = sweep(0, true);
    assert!(report.is_passed(), "{:?}", report.failures.first().map(|failure| &failure.story));
}
