//! What is `Send`, `Sync` and `Unpin` in tokio is so here.

use fatum::sync::{
    Barrier, CancellationToken, DropGuard, Mutex, MutexGuard, Notify, OnceCell, OwnedMutexGuard,
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Semaphore, SemaphorePermit, WaitForCancellationFuture, WaitForCancellationFutureOwned,
    broadcast, futures, mpsc, oneshot, watch,
};
use std::cell::Cell;
use std::sync::Arc;

fn send<T: Send>() {}
fn sync<T: Send + Sync>() {}
fn unpin<T: Unpin>() {}
fn sent<T: Send>(_: T) {}

#[test]
fn types_are_send_and_sync() {
    sync::<Mutex<Cell<u8>>>();
    sync::<MutexGuard<'_, u8>>();
    sync::<OwnedMutexGuard<u8>>();
    send::<MutexGuard<'_, Cell<u8>>>();
    send::<OwnedMutexGuard<Cell<u8>>>();
    sync::<RwLock<u8>>();
    sync::<RwLockReadGuard<'_, u8>>();
    sync::<RwLockWriteGuard<'_, u8>>();
    sync::<OwnedRwLockReadGuard<u8>>();
    sync::<OwnedRwLockWriteGuard<u8>>();
    sync::<Notify>();
    sync::<futures::Notified<'_>>();
    sync::<Semaphore>();
    sync::<SemaphorePermit<'_>>();
    sync::<OwnedSemaphorePermit>();
    sync::<Barrier>();
    sync::<OnceCell<u8>>();
    send::<OnceCell<Cell<u8>>>();
    sync::<CancellationToken>();
    sync::<DropGuard>();
    sync::<WaitForCancellationFuture<'_>>();
    sync::<WaitForCancellationFutureOwned>();
}

#[test]
fn channels_are_send_and_sync() {
    sync::<mpsc::Sender<Cell<u8>>>();
    sync::<mpsc::Receiver<Cell<u8>>>();
    sync::<mpsc::WeakSender<Cell<u8>>>();
    sync::<mpsc::Permit<'_, Cell<u8>>>();
    sync::<mpsc::OwnedPermit<Cell<u8>>>();
    sync::<mpsc::UnboundedSender<Cell<u8>>>();
    sync::<mpsc::UnboundedReceiver<Cell<u8>>>();
    sync::<oneshot::Sender<Cell<u8>>>();
    sync::<oneshot::Receiver<Cell<u8>>>();
    sync::<watch::Sender<u8>>();
    sync::<watch::Receiver<u8>>();
    sync::<broadcast::Sender<Cell<u8>>>();
    sync::<broadcast::Receiver<Cell<u8>>>();
    sync::<broadcast::WeakSender<Cell<u8>>>();
    unpin::<mpsc::Receiver<std::marker::PhantomPinned>>();
    unpin::<oneshot::Receiver<std::marker::PhantomPinned>>();
}

#[test]
fn futures_are_send() {
    let (lock, shared) = (Arc::new(Mutex::new(Cell::new(1))), Arc::new(RwLock::new(1)));
    sent(lock.lock());
    sent(lock.clone().lock_owned());
    sent(shared.read());
    sent(shared.write());
    sent(shared.clone().read_owned());
    sent(shared.clone().write_owned());
    let semaphore = Arc::new(Semaphore::new(1));
    sent(semaphore.acquire());
    sent(semaphore.clone().acquire_owned());
    sent(Barrier::new(1).wait());
    sent(OnceCell::new().get_or_init(|| async { 1 }));
    let (sender, mut receiver) = mpsc::channel(1);
    sent(sender.send(Cell::new(1)));
    sent(sender.reserve());
    sent(sender.closed());
    sent(receiver.recv());
    sent(receiver.recv_many(&mut Vec::new(), 1));
    let (sender, mut receiver) = watch::channel(1);
    sent(sender.closed());
    sent(receiver.changed());
    sent(receiver.wait_for(|value| *value == 1));
    let (_sender, mut receiver) = broadcast::channel::<u8>(1);
    sent(receiver.recv());
    sent(CancellationToken::new().run_until_cancelled(async {}));
}
