//! The same store on a multi-threaded tokio: no fault, no virtual time, and nothing is lost between threads.

use fatum::store::{Payload, Store, WatchFrom};
use fatum::task;

const WRITERS: u64 = 4;
const ROUNDS: u64 = 50;

#[test]
fn writers_and_a_watcher_agree_between_threads() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let store = Store::new();
    store.put(("n", "x"), 0).unwrap();
    runtime.block_on(async {
        let mut watch = store.client("watcher").watch("n", WatchFrom::Snapshot).await.unwrap();
        let watcher = task::spawn(async move {
            let mut last = 0;
            loop {
                let event = watch.next().await.unwrap();
                let Payload::Batch(changes) = event.payload else { continue };
                let now: u64 = changes[0].value.as_ref().unwrap().parse().unwrap();
                assert!(now == 0 || now == last + 1, "{now} after {last}");
                last = now;
                if last == WRITERS * ROUNDS {
                    return;
                }
            }
        });
        let mut writers = task::JoinSet::new();
        for number in 0..WRITERS {
            let client = store.client(format!("writer-{number}"));
            writers.spawn(async move {
                for _ in 0..ROUNDS {
                    loop {
                        let entry = client.entry(("n", "x")).await.unwrap().unwrap();
                        let n: u64 = entry.parse().unwrap();
                        match client.update(("n", "x"), entry.version, n + 1).await {
                            Ok(_) => break,
                            Err(error) => assert!(error.is_conflict(), "{error}"),
                        }
                    }
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        watcher.await.unwrap();
    });
    assert_eq!((store.peek(("n", "x")), store.watches()), (Some(WRITERS * ROUNDS), 0));
    assert_eq!(store.index(), 1 + WRITERS * ROUNDS);
}
