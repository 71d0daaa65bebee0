//! A worker: takes a request, reconciles it, says what follows, gives it back. Separate because it is the only place
//! where outcomes become operations of the queue; it must not know where requests come from.

use std::sync::Arc;

use crate::emit;
use crate::sync::{CancellationToken, watch};
use crate::task::yield_point;

use super::context::{Context, Reconciler};
use super::controller::Handle;
use super::error::{ReconcileError, Recovered, RunError};
use super::guarded::guarded;
use super::lease::{Lease, Requeue, lease_planted};
use super::record::ControllerEvent;
use super::request::{Item, Request, text};
use super::variant::Variant;
use super::work_queue::WorkQueue;
use crate::time::Duration;

/// One of the workers of a run.
#[derive(Clone)]
pub(super) struct Worker {
    /// What events call the run.
    pub(super) scope: u64,
    pub(super) number: u32,
    pub(super) queue: Arc<dyn WorkQueue<Request>>,
    pub(super) reconciler: Arc<dyn Reconciler>,
    pub(super) handle: Handle,
    /// What reconciles look at.
    pub(super) cancel: CancellationToken,
    /// The run ends, and it is decided what becomes of what is queued.
    pub(super) decided: CancellationToken,
    /// Where the worker waits for the snapshots, if it does.
    pub(super) unprimed: Option<watch::Receiver<usize>>,
    pub(super) variant: Variant,
}

/// What a reconcile came to.
enum Outcome {
    Done,
    RequeueAfter(Duration),
    Failed(ReconcileError),
    Panicked(Recovered),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::RequeueAfter(_) => "requeue-after",
            Outcome::Failed(_) => "failed",
            Outcome::Panicked(_) => "panicked",
        }
    }
}

impl Worker {
    /// Works until the queue hands out no more.
    pub(super) async fn run(mut self) -> Result<(), RunError> {
        self.await_snapshots().await;
        while let Some(lease) = lease_planted(&self.queue, self.variant).await {
            if self.variant == Variant::RetryUnseen && self.queue.num_requeues(&lease.item().key()) > 0 {
                continue;
            }
            self.work(lease).await;
        }
        Ok(())
    }

    async fn await_snapshots(&mut self) {
        let Some(unprimed) = &mut self.unprimed else { return };
        if self.variant == Variant::WorkBeforeSnapshot {
            return;
        }
        crate::select! {
            biased;
            () = self.decided.cancelled() => {}
            () = primed(unprimed) => {}
        }
    }

    async fn work(&self, lease: Lease<Request>) {
        let outcome = self.reconcile(lease.item()).await;
        yield_point("worker.state").await;
        match outcome {
            Outcome::Done => {
                if self.variant != Variant::SuccessKeepsFailures {
                    lease.forget();
                }
                yield_point("worker.state").await;
                lease.done();
            }
            Outcome::RequeueAfter(_) if self.variant == Variant::RequeueAfterAsFailure => {
                lease.requeue(Requeue::RateLimited).await;
            }
            Outcome::RequeueAfter(delay) => {
                if self.variant != Variant::RequeueAfterKeepsFailures {
                    lease.forget();
                }
                yield_point("worker.state").await;
                lease.requeue(Requeue::After(delay)).await;
            }
            // Never given back, and therefore never handed out again.
            Outcome::Panicked(_) if self.variant == Variant::PanicSkipsDone => std::mem::forget(lease),
            Outcome::Failed(_) | Outcome::Panicked(_) => lease.requeue(Requeue::RateLimited).await,
        }
    }

    /// Calls the reconciler; its panic is an outcome like others.
    async fn reconcile(&self, request: &Request) -> Outcome {
        let key = text(request);
        let (queue, worker) = (self.scope, self.number);
        emit(ControllerEvent::Reconcile { queue, key: Arc::clone(&key), worker });
        let context = Context { cancel: self.cancel.clone(), handle: self.handle.clone(), worker };
        let called = async { self.reconciler.reconcile(context, request.clone()).await };
        let outcome = match guarded(called).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => match error.requeue_delay() {
                Some(delay) => Outcome::RequeueAfter(delay),
                None => Outcome::Failed(error),
            },
            Err(payload) => Outcome::Panicked(Recovered::from_panic(&*payload)),
        };
        match &outcome {
            Outcome::Done | Outcome::RequeueAfter(_) => {}
            Outcome::Failed(error) => tracing::warn!(%key, %error, "reconcile failed"),
            Outcome::Panicked(error) => tracing::warn!(%key, %error, "reconcile failed"),
        }
        emit(ControllerEvent::Reconciled { queue, key, worker, outcome: outcome.name() });
        outcome
    }
}

/// Waits until every first snapshot is in the queue; for ever once that can be no more.
async fn primed(unprimed: &mut watch::Receiver<usize>) {
    let is_primed = unprimed.wait_for(|unprimed| *unprimed == 0).await.is_ok();
    if !is_primed {
        // The subscriptions, which held the other end, are gone: the run ends.
        std::future::pending().await
    }
}
