//! `join!` and `try_join!`: tokio's, which rotate where they begin without drawing anything.

use super::{ready, seen, simulate};
use fatum::sync::mpsc;
use fatum::{Sim, join, task, try_join};

pub(super) fn contention(sim: &mut Sim) {
    sim.run(async {
        let (sender, mut receiver) = mpsc::channel(1);
        let send = async move {
            for value in 0..5 {
                sender.send(value).await.unwrap();
            }
        };
        let receive = async move {
            while let Some(value) = receiver.recv().await {
                seen(1, value);
            }
        };
        join!(send, receive, task::yield_now());
        let failed = try_join!(async { Ok(1) }, async {
            task::yield_now().await;
            Err::<(), u64>(2)
        });
        seen(2, failed.unwrap_err());
    });
}

#[test]
fn all_outputs_come_in_order() {
    assert_eq!(ready(async { join!(async { 1 }, async { 'b' },) }), (1, 'b'));
    assert_eq!(ready(async { try_join!(async { Ok::<_, ()>(1) }, async { Ok('b') }) }), Ok((1, 'b')));
    simulate(|| async {
        let (left, ()) = join!(biased; async { 1 }, task::yield_now());
        assert_eq!(left, 1);
        let never = std::future::pending::<Result<(), _>>();
        assert_eq!(try_join!(async { Err::<(), _>(3) }, never), Err(3));
    });
}
