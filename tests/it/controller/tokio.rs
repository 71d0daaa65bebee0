//! One controller in a simulation and on a multi-threaded tokio: the same entries are reconciled, the same ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fatum::sync::CancellationToken;
use fatum::systems::controller::{
    BoxError, Context, Controller, ReconcileError, Repeat, Request, Shutdown, SubscriptionError, Topic,
    requeue_after,
};
use fatum::task::spawn;
use fatum::time::sleep;

use super::engine::{Log, read};
use super::feed::{Feed, request};
use super::ms;
use super::stage::stage;

/// What was reconciled well, by name, and whether it ran in a simulation.
type Came = (BTreeSet<String>, bool);

/// Entries that fail, ask and panic at their first reconcile, a trigger, a forced close, a transaction, a drain.
async fn live() -> Came {
    let (feed, log, first) = (Feed::default(), Log::default(), Arc::new(Mutex::new(BTreeSet::new())));
    (0..200).for_each(|number| feed.put("a", &format!("entry-{number}")));
    let (reads, noted) = (feed.clone(), log.clone());
    let reconciler = move |_: Context, request: Request| {
        read(&reads, &request);
        let is_first = first.lock().unwrap().insert(request.clone());
        let noted = noted.clone();
        async move {
            sleep(ms(1)).await;
            let digit = request.name.chars().last();
            match digit.filter(|_| is_first) {
                Some('3') => return Err(ReconcileError::failed("the first time")),
                Some('5') => return Err(requeue_after(ms(2))),
                Some('7') => panic!("the first time"),
                _ => {}
            }
            noted.push(request);
            Ok(())
        }
    };
    let controller = Controller::builder(Arc::new(feed.clone()), reconciler);
    let (controller, handle) = controller.subscribe(Topic::all("a")).workers(10).build();
    let token = CancellationToken::new();
    let run = spawn(controller.run(token.clone(), Shutdown::Drain));
    let soon = |_| async {
        sleep(ms(1)).await;
        Ok::<(), BoxError>(())
    };
    handle.add_trigger(request("b", "triggered"), soon, Repeat::Once).await;
    handle.add_trigger(request("b", "removed"), |_| std::future::pending(), Repeat::Rearm).await;
    sleep(ms(20)).await;
    feed.close(&SubscriptionError::ForceClosed);
    handle.remove_trigger_and_join(&request("b", "removed")).await;
    sleep(ms(20)).await;
    feed.put_all("a", &["late-1", "late-2"]);
    while !log.names().iter().any(|name| name == "late-2") {
        sleep(ms(5)).await;
    }
    sleep(ms(100)).await;
    token.cancel();
    run.await.unwrap().unwrap();
    (log.names().into_iter().collect(), fatum::is_simulated())
}

#[test]
fn one_controller_runs_in_a_simulation_and_on_many_threads() {
    let (simulated, in_simulation) = stage(7, live).passed();
    assert!(in_simulation);
    assert_eq!(simulated.len(), 203, "every entry and the trigger");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    for _ in 0..5 {
        let came = runtime.block_on(async { tokio::spawn(live()).await.unwrap() });
        assert_eq!(came, (simulated.clone(), false));
    }
}
