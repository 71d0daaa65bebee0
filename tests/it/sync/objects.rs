//! Objects have the same numbers in every run, wherever they were created, and accesses say whether they write.

use fatum::Sim;
use fatum::choice::{Access, Ask, Names, Notice, Ready, Source};
use fatum::sync::{CancellationToken, Mutex, Notify, mpsc, watch};
use std::any::Any;
use std::sync::Arc;

type Accesses = Arc<std::sync::Mutex<Vec<(u64, Access)>>>;

/// The baseline, which writes down the accesses.
struct Listener(Accesses);

impl Source for Listener {
    fn choose(&mut self, _ask: &Ask<'_>) -> u64 {
        0
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        ready.oldest()
    }

    fn listens(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::Access { object, access, .. } = notice {
            self.0.lock().unwrap().push((object, access));
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn accesses(program: impl Fn(&mut Sim)) -> Vec<(u64, Access)> {
    let accesses = Accesses::default();
    let mut sim = Sim::builder().source(Box::new(Listener(accesses.clone()))).build();
    program(&mut sim);
    assert!(sim.finish().end.is_passed());
    let accesses = accesses.lock().unwrap();
    accesses.clone()
}

#[test]
fn numbers_come_in_the_order_of_first_use_or_creation() {
    let program = |sim: &mut Sim| {
        let (first, second, unused) = (Mutex::new(()), Mutex::new(()), Notify::new());
        sim.run(async move {
            let inside = Notify::new();
            inside.notify_one();
            drop(second.lock().await);
            drop(first.try_lock());
            drop(second.lock().await);
            inside.notified().await;
            let _unused = unused;
        });
    };
    let expected = [1, 2, 3, 2, 1].map(|object| (object, Access::Write));
    for _ in 0..3 {
        assert_eq!(accesses(program), expected);
    }
}

#[test]
fn what_only_looks_is_a_read() {
    let found = accesses(|sim| {
        sim.run(async {
            let ((sender, mut receiver), token) = (watch::channel(1), CancellationToken::new());
            sender.send(2).unwrap();
            receiver.changed().await.unwrap();
            receiver.wait_for(|value| *value == 2).await.unwrap();
            token.cancel();
            token.cancelled().await;
            let (sender, receiver) = mpsc::channel::<()>(1);
            drop(receiver);
            sender.closed().await;
        });
    });
    let write_read_read = [Access::Write, Access::Read, Access::Read].map(|access| (1, access));
    let write_read = [Access::Write, Access::Read].map(|access| (2, access));
    assert_eq!(found, [&write_read_read[..], &write_read[..], &[(3, Access::Read)]].concat());
}
