//! What the report of a stuck controller says: each task that waits, since when, at which await, on what, and who holds
//! it.

use fatum::runtime::Blocked;
use fatum::sim::Keep;
use fatum::sync::{CancellationToken, Mutex};
use fatum::systems::controller::{Controller, Request, Shutdown, StorePublisher, Topic};
use fatum::time::{Duration, sleep};
use fatum::{Sim, task};
use std::sync::Arc;

/// Two workers that each hold what the other wants: `a` before `b`, and `b` before `a`.
#[test]
fn the_deadlock_report_of_a_stuck_controller_names_everybody() {
    let mut sim = Sim::builder().keep(Keep::Trace).tape(&Default::default()).build();
    let store = sim.store();
    store.put(("site", "one"), 1).unwrap();
    store.put(("site", "two"), 2).unwrap();
    sim.host("controller").run(move |host| async move {
        let locks = Arc::new((Mutex::new("a"), Mutex::new("b")));
        let publisher = Arc::new(StorePublisher::new(host.store()));
        let reconcile = move |_, site: Request| {
            let locks = locks.clone();
            async move {
                let (first, second) =
                    if &*site.name == "one" { (&locks.0, &locks.1) } else { (&locks.1, &locks.0) };
                let _held = first.lock().await;
                sleep(Duration::from_secs(2)).await;
                let _wanted = second.lock().await;
                Ok(())
            }
        };
        let builder = Controller::builder(publisher, reconcile).subscribe(Topic::all("site")).workers(2);
        let stop = CancellationToken::new();
        let stopper = stop.clone();
        task::spawn_named("stopper", async move {
            sleep(Duration::from_secs(3)).await;
            stopper.cancel();
        });
        builder.build().0.run(stop, Shutdown::Drop).await
    });
    let run = sim.finish();
    assert_eq!(run.end.kind(), "deadlock", "{:?}", run.end);
    let of = |task: &str| -> &Blocked { run.blocked.iter().find(|blocked| blocked.task == task).unwrap() };
    for (worker, other) in
        [("controller/worker-0", "controller/worker-1"), ("controller/worker-1", "controller/worker-0")]
    {
        let blocked = of(worker);
        let wait = &blocked.waits[0];
        assert_eq!(blocked.since, 2_000_000_000, "{blocked:?}");
        assert_eq!(
            (&*wait.operation, &wait.holders[..]),
            ("sync.lock", &[other.to_owned()][..]),
            "{blocked:?}"
        );
        assert!(wait.resource.starts_with("Mutex created at tests/it/controller/stuck.rs:"), "{blocked:?}");
        assert!(wait.place.as_ref().unwrap().starts_with("tests/it/controller/stuck.rs:"), "{blocked:?}");
    }
    let main = of("controller");
    assert!(main.required, "{main:?}");
    assert_eq!((main.since, &*main.waits[0].operation), (3_000_000_000, "task.join"), "{main:?}");
    assert_eq!(main.waits[0].resource, "the end of controller/worker-1", "{main:?}");
}
