//! What a reconciler is handed beside its request. Separate because it is all that user code sees of a run.

use crate::sync::CancellationToken;

use super::controller::Handle;
use super::error::ReconcileError;
use super::request::Request;
use super::work_queue::BoxFuture;
use std::future::Future;

/// What a reconcile may know and use.
#[derive(Clone)]
pub struct Context {
    pub(super) cancel: CancellationToken,
    pub(super) handle: Handle,
    pub(super) worker: u32,
}

impl Context {
    /// Cancelled when the run will not wait much longer: at a stop that drops, and when a drain has used up its time.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether to come to an end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The controller: to enqueue other requests, to add and remove triggers.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The worker that reconciles, from 0.
    pub fn worker(&self) -> u32 {
        self.worker
    }
}

/// Brings the world closer to what one entry asks for.
///
/// It is handed an identity and must read the entry itself; that it was deleted looks the same as that it was written.
/// It may be called again although nothing changed. `Ok` means done, and what failed before is forgotten.
pub trait Reconciler: Send + Sync + 'static {
    /// Reconciles one request. A panic counts as a failure of this request.
    fn reconcile(&self, context: Context, request: Request) -> BoxFuture<'_, Result<(), ReconcileError>>;
}

impl<F, Fut> Reconciler for F
where
    F: Fn(Context, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), ReconcileError>> + Send + 'static,
{
    fn reconcile(&self, context: Context, request: Request) -> BoxFuture<'_, Result<(), ReconcileError>> {
        Box::pin(self(context, request))
    }
}
