//! The same types on a multi-threaded tokio.

use fatum::sync::{Barrier, CancellationToken, Mutex, OnceCell, Semaphore, broadcast, mpsc, watch};
use fatum::{select, task};
use std::sync::Arc;

fn block_on(main: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(main);
}

#[test]
fn locks_permits_and_barriers_hold_between_threads() {
    block_on(async {
        let (total, barrier) = (Arc::new(Mutex::new(0)), Arc::new(Barrier::new(5)));
        let (semaphore, cell) = (Arc::new(Semaphore::new(2)), Arc::new(OnceCell::new()));
        let shared = total.clone();
        super::five(move |who| {
            let (total, barrier) = (shared.clone(), barrier.clone());
            let (semaphore, cell) = (semaphore.clone(), cell.clone());
            async move {
                for _ in 0..100 {
                    let _permit = semaphore.acquire().await.unwrap();
                    *total.lock().await += 1;
                }
                let leader = *cell.get_or_init(|| async move { who }).await;
                assert!(leader < 5);
                for _ in 0..20 {
                    barrier.wait().await;
                }
            }
        })
        .await;
        assert_eq!(*total.lock().await, 500);
    });
}

#[test]
fn channels_and_tokens_work_between_threads() {
    block_on(async {
        let (sender, mut receiver) = mpsc::channel(2);
        let (watched, watching) = watch::channel(0);
        let (broadcaster, _) = broadcast::channel(64);
        let token = CancellationToken::new();
        let (cancelled, announcing) = (token.clone(), broadcaster.clone());
        let workers = task::spawn(async move {
            super::five(move |who| {
                let (sender, mut watching) = (sender.clone(), watching.clone());
                let (token, mut heard) = (cancelled.clone(), announcing.subscribe());
                async move {
                    watching.wait_for(|value| *value == 3).await.unwrap();
                    sender.send(who).await.unwrap();
                    select! {
                        () = token.cancelled() => {}
                        _ = heard.recv() => panic!("nothing is said before the cancel"),
                    }
                }
            })
            .await;
        });
        for value in 1..=3 {
            watched.send(value).unwrap();
        }
        let mut sum = 0;
        for _ in 0..5 {
            sum += receiver.recv().await.unwrap();
        }
        token.cancel();
        workers.await.unwrap();
        assert_eq!((sum, receiver.recv().await), (10, None));
        assert!(broadcaster.send(()).is_err());
    });
}
