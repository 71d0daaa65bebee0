//! Triggers: futures that, when they end, enqueue a request. Separate because they have a lifecycle of their own; it
//! must not know workers and subscriptions.
//!
//! ```text
//!           add                 the future ends           the item is added
//!  (none) ───────▶ waiting ─────────────────────▶ firing ─────────────────▶ (none), or waiting when it re-arms
//!                    │ remove, replace, end of run   │ remove, replace: wait until the item is added
//!                    └──────▶ (none)                 └──────▶ (none)
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::CancellationToken;
use crate::task::{JoinHandle, spawn_named, yield_point};

use super::error::{BoxError, Recovered};
use super::guarded::guarded;
use super::record::ControllerEvent;
use super::request::Request;
use super::variant::Variant;
use super::work_queue::BoxFuture;
use super::work_queue::WorkQueue;

/// One registration of a trigger: its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(pub u64);

/// What becomes of a trigger that fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// It is gone, and may be added again.
    #[default]
    Once,
    /// Its function is called again, under the same registration.
    Rearm,
}

type TriggerFn = Box<dyn FnMut(CancellationToken) -> BoxFuture<'static, Result<(), BoxError>> + Send>;
type Sink = Arc<dyn WorkQueue<Request>>;

/// All triggers of a controller, at most one per key.
pub(super) struct Triggers {
    variant: Variant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// The number of the queue, once the run has begun: before it nothing is told.
    queue: Option<u64>,
    generation_last: u64,
    live: BTreeMap<Request, Registered>,
    /// Tasks of triggers that are gone; they end soon.
    leaving: Vec<JoinHandle<()>>,
}

#[derive(Default)]
enum Phase {
    /// The run has not begun: triggers wait for it.
    #[default]
    Early,
    Open(Sink),
    Closed,
}

struct Registered {
    generation: u64,
    repeat: Repeat,
    cancel: CancellationToken,
    /// Until the run begins.
    call: Option<TriggerFn>,
    task: Option<JoinHandle<()>>,
    /// Set while it fires: cancelled when the item is added.
    firing: Option<CancellationToken>,
    /// Removed while it fired: it does not re-arm.
    is_removed: bool,
}

/// A trigger as its task knows it.
#[derive(Clone)]
struct Trigger {
    all: Arc<Triggers>,
    sink: Sink,
    request: Request,
    key: Arc<str>,
    generation: u64,
    cancel: CancellationToken,
}

impl Triggers {
    pub(super) fn new(variant: Variant) -> Triggers {
        Triggers { variant, state: Mutex::default() }
    }

    /// Registers a trigger in place of the older one of its key, which enqueues nothing once this has returned.
    pub(super) async fn add<F, Fut>(
        self: &Arc<Self>,
        request: Request,
        mut call: F,
        repeat: Repeat,
    ) -> TriggerId
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let call: TriggerFn = Box::new(move |cancel| Box::pin(call(cancel)));
        yield_point("trigger.state").await;
        loop {
            let firing = {
                let mut state = self.state();
                match state.take_out(&request) {
                    Some(firing) => firing,
                    None => return self.register(&mut state, request, call, repeat),
                }
            };
            firing.cancelled().await;
        }
    }

    fn register(
        self: &Arc<Self>,
        state: &mut State,
        request: Request,
        call: TriggerFn,
        repeat: Repeat,
    ) -> TriggerId {
        state.generation_last += 1;
        let generation = state.generation_last;
        let cancel = CancellationToken::new();
        let mut registered = Registered {
            generation,
            repeat,
            cancel,
            call: Some(call),
            task: None,
            firing: None,
            is_removed: false,
        };
        match &state.phase {
            Phase::Closed => return TriggerId(generation),
            Phase::Early => {}
            Phase::Open(sink) => self.start(&mut registered, &request, sink),
        }
        state.live.insert(request, registered);
        TriggerId(generation)
    }

    fn start(self: &Arc<Self>, registered: &mut Registered, request: &Request, sink: &Sink) {
        let Some(call) = registered.call.take() else { return };
        let (key, generation): (Arc<str>, _) = (request.to_string().into(), registered.generation);
        let trigger = Trigger {
            all: Arc::clone(self),
            sink: Arc::clone(sink),
            request: request.clone(),
            key: Arc::clone(&key),
            generation,
            cancel: registered.cancel.clone(),
        };
        emit(ControllerEvent::TriggerSet { queue: sink.number(), key, generation });
        let name = format!("trigger-{}", registered.generation);
        registered.task = Some(spawn_named(name, trigger.run(call)));
    }

    /// Removes the trigger of a key. When this has returned, it enqueues nothing any more; its task may still end.
    pub(super) async fn remove(&self, request: &Request) {
        yield_point("trigger.state").await;
        let firing = self.state().take_out(request);
        if let Some(firing) = firing {
            firing.cancelled().await;
        }
    }

    /// As [`Triggers::remove`], and waits until the tasks of all triggers that are gone have ended.
    pub(super) async fn remove_and_join(&self, request: &Request) {
        self.remove(request).await;
        self.join().await;
    }

    /// The run begins: what was registered before starts.
    pub(super) fn open(self: &Arc<Self>, sink: &Sink) {
        let mut state = self.state();
        for (request, registered) in &mut state.live {
            self.start(registered, request, sink);
        }
        state.phase = Phase::Open(Arc::clone(sink));
        state.queue = Some(sink.number());
    }

    /// The run ends: no trigger is left, and none is taken any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.phase = Phase::Closed;
        let keys: Vec<Request> = state.live.keys().cloned().collect();
        for key in keys {
            state.take_out(&key);
        }
    }

    /// Waits for the tasks of triggers that are gone.
    pub(super) async fn join(&self) {
        loop {
            let Some(task) = self.state().leaving.pop() else { return };
            // A trigger whose task was aborted fires as little as one that was removed.
            drop(task.await);
        }
    }

    /// Aborts what is left, when the run is dropped.
    pub(super) fn abort(&self) {
        self.close();
        let mut state = self.state();
        state.leaving.drain(..).for_each(|task| task.abort());
        state.live.values().filter_map(|registered| registered.task.as_ref()).for_each(JoinHandle::abort);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes a trigger that waits; of one that fires, says what is cancelled when it has.
    fn take_out(&mut self, request: &Request) -> Option<CancellationToken> {
        let registered = self.live.get_mut(request)?;
        if let Some(firing) = registered.firing.clone() {
            registered.is_removed = true;
            return Some(firing);
        }
        let registered = self.live.remove(request)?;
        let (key, generation) = (request.to_string().into(), registered.generation);
        if let Some(queue) = self.queue {
            emit(ControllerEvent::TriggerDropped { queue, key, generation });
        }
        self.leave(registered);
        None
    }

    fn leave(&mut self, registered: Registered) {
        registered.cancel.cancel();
        self.leaving.retain(|task| !task.is_finished());
        self.leaving.extend(registered.task);
    }
}

impl Trigger {
    async fn run(self, mut call: TriggerFn) {
        loop {
            let cancel = self.cancel.clone();
            let outcome = crate::select! {
                biased;
                () = self.cancel.cancelled() => return,
                outcome = guarded(async { call(cancel).await }) => outcome,
            };
            let outcome = outcome.unwrap_or_else(|panic| Err(Recovered::from_panic(&*panic).into()));
            let error = outcome.err().map(|error| Arc::from(error.to_string()));
            // Between the look at the cancellation and the add, others may remove or replace the trigger.
            yield_point("trigger.state").await;
            if !self.fire(error).await {
                return;
            }
        }
    }

    /// Adds the item, unless the trigger was removed or replaced meanwhile; whether it goes on.
    async fn fire(&self, error: Option<Arc<str>>) -> bool {
        let over = CancellationToken::new();
        let is_fired = self.begin(&over, error.clone());
        if !is_fired && self.all.variant != Variant::TriggerFiresCancelled {
            return false;
        }
        // However this ends, also by an abort, whoever waits for the firing goes on.
        let _over = over.drop_guard();
        if let Some(error) = &error {
            tracing::warn!(key = %self.key, %error, "error while running trigger, adding re-reconcilation anyway");
        }
        if error.is_none() || self.all.variant != Variant::TriggerErrorSwallowed {
            self.sink.add(self.request.clone()).await;
        }
        self.finish()
    }

    fn begin(&self, over: &CancellationToken, error: Option<Arc<str>>) -> bool {
        let mut state = self.all.state();
        let ours = state.live.get_mut(&self.request).filter(|live| live.generation == self.generation);
        let is_live = ours.is_some();
        if let Some(ours) = ours {
            ours.firing = Some(over.clone());
        }
        if is_live || self.all.variant == Variant::TriggerFiresCancelled {
            let (queue, key, generation) = (self.sink.number(), Arc::clone(&self.key), self.generation);
            emit(ControllerEvent::TriggerFired { queue, key, generation, error });
        }
        is_live
    }

    fn finish(&self) -> bool {
        let mut state = self.all.state();
        let Some(mut ours) = state.live.remove(&self.request) else { return false };
        if ours.generation != self.generation {
            state.live.insert(self.request.clone(), ours);
            return false;
        }
        ours.firing = None;
        let goes_on =
            ours.repeat == Repeat::Rearm && !ours.is_removed && !matches!(state.phase, Phase::Closed);
        if goes_on {
            let (queue, key, generation) = (self.sink.number(), Arc::clone(&self.key), self.generation);
            emit(ControllerEvent::TriggerSet { queue, key, generation });
            state.live.insert(self.request.clone(), ours);
        } else {
            state.leave(ours);
        }
        goes_on
    }
}
