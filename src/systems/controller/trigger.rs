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
use crate::task::{JoinHandle, yield_now, yield_point};

use super::error::{BoxError, Recovered};
use super::fatal::Fatal;
use super::guarded::guarded;
use super::record::ControllerEvent;
use super::request::{Request, text};
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

/// All triggers of a controller, at most one per key.
pub(super) struct Triggers {
    variant: Variant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// What events call the run, once it has begun: before it nothing is told.
    scope: Option<u64>,
    generation_last: u64,
    live: BTreeMap<Request, Registered>,
    /// Tasks of triggers that are gone; they end soon.
    leaving: Vec<Task>,
}

/// A task that was started.
struct Task {
    handle: JoinHandle<()>,
    /// Cancelled when it has ended, however it did. Many can wait for that, and give up waiting.
    ended: CancellationToken,
}

/// The run that triggers belong to.
#[derive(Clone)]
pub(super) struct Home {
    /// What events call it.
    pub(super) scope: u64,
    pub(super) sink: Arc<dyn WorkQueue<Request>>,
    /// Its end; that of each trigger is a child of it.
    pub(super) stop: CancellationToken,
    pub(super) fatal: Fatal,
}

#[derive(Default)]
enum Phase {
    /// The run has not begun: triggers wait for it.
    #[default]
    Early,
    Open(Home),
    Closed,
}

struct Registered {
    generation: u64,
    repeat: Repeat,
    cancel: CancellationToken,
    /// Until the run begins.
    call: Option<TriggerFn>,
    task: Option<Task>,
    /// Set while it fires: cancelled when the item is added.
    firing: Option<CancellationToken>,
    /// Removed while it fired: it does not re-arm.
    is_removed: bool,
}

/// A trigger as its task knows it.
#[derive(Clone)]
struct Trigger {
    all: Arc<Triggers>,
    home: Home,
    request: Request,
    key: Arc<str>,
    generation: u64,
    cancel: CancellationToken,
}

impl Triggers {
    pub(super) fn new(variant: Variant) -> Triggers {
        Triggers { variant, state: Mutex::default() }
    }

    /// Registers a trigger in place of the older one of its key, which enqueues nothing once this has returned. None
    /// when the run is over. Not safe to cancel: the older one may be gone, and the new one not registered.
    pub(super) async fn add<F, Fut>(
        self: &Arc<Self>,
        request: Request,
        mut call: F,
        repeat: Repeat,
    ) -> Option<TriggerId>
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
    ) -> Option<TriggerId> {
        let home = match &state.phase {
            Phase::Closed => return None,
            Phase::Early => None,
            Phase::Open(home) => Some(home.clone()),
        };
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
        if let Some(home) = &home {
            self.start(&mut registered, &request, home);
        }
        state.live.insert(request, registered);
        Some(TriggerId(generation))
    }

    fn start(self: &Arc<Self>, registered: &mut Registered, request: &Request, home: &Home) {
        let Some(call) = registered.call.take() else { return };
        let (key, generation) = (text(request), registered.generation);
        registered.cancel = home.stop.child_token();
        let trigger = Trigger {
            all: Arc::clone(self),
            home: home.clone(),
            request: request.clone(),
            key: Arc::clone(&key),
            generation,
            cancel: registered.cancel.clone(),
        };
        emit(ControllerEvent::TriggerSet { queue: home.scope, key, generation });
        let ended = CancellationToken::new();
        let tells = ended.clone().drop_guard();
        let handle = home.fatal.spawn(format!("trigger-{generation}"), async move {
            let _tells = tells;
            trigger.run(call).await;
            Ok(())
        });
        registered.task = Some(Task { handle, ended });
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
        let leaving: Vec<CancellationToken> =
            self.state().leaving.iter().map(|task| task.ended.clone()).collect();
        for ended in leaving {
            ended.cancelled().await;
        }
    }

    /// The run begins: what was registered before starts.
    pub(super) fn open(self: &Arc<Self>, home: &Home) {
        let mut state = self.state();
        for (request, registered) in &mut state.live {
            self.start(registered, request, home);
        }
        state.phase = Phase::Open(home.clone());
        state.scope = Some(home.scope);
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

    /// Waits until no task is left, after [`Triggers::close`]: those that are gone, and those that were firing then.
    pub(super) async fn join(&self) {
        loop {
            let Some(ended) = self.state().unended() else { return };
            ended.cancelled().await;
        }
    }

    /// Aborts what is left, when the run is dropped.
    pub(super) fn abort(&self) {
        self.close();
        let tasks: Vec<Task> = {
            let mut state = self.state();
            // Those that fire will find that they are gone.
            let firing = std::mem::take(&mut state.live).into_values().filter_map(|gone| gone.task);
            firing.chain(state.leaving.drain(..)).collect()
        };
        tasks.iter().for_each(|task| task.handle.abort());
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
        let (key, generation) = (text(request), registered.generation);
        if let Some(queue) = self.scope {
            emit(ControllerEvent::TriggerDropped { queue, key, generation });
        }
        self.leave(registered);
        None
    }

    fn leave(&mut self, registered: Registered) {
        registered.cancel.cancel();
        self.leaving.retain(|task| !task.ended.is_cancelled());
        self.leaving.extend(registered.task);
    }

    /// Says when one of the tasks has ended that have not.
    fn unended(&self) -> Option<CancellationToken> {
        let live = self.live.values().filter_map(|registered| registered.task.as_ref());
        let mut tasks = self.leaving.iter().chain(live);
        tasks.find(|task| !task.ended.is_cancelled()).map(|task| task.ended.clone())
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
            // A function that has nothing to wait for must not keep others from running.
            yield_now().await;
        }
    }

    /// Adds the item, unless the trigger was removed or replaced meanwhile; whether it goes on.
    async fn fire(&self, error: Option<Arc<str>>) -> bool {
        let over = CancellationToken::new();
        let is_fired = self.begin(&over, error.clone());
        if !is_fired && self.all.variant != Variant::TriggerFiresCancelled {
            return false;
        }
        let firing = Firing { trigger: self, over, is_finished: false };
        if let Some(error) = &error {
            tracing::warn!(key = %self.key, %error, "error while running trigger, adding re-reconcilation anyway");
        }
        if error.is_none() || self.all.variant != Variant::TriggerErrorSwallowed {
            self.home.sink.add(self.request.clone()).await;
        }
        firing.finish()
    }

    fn begin(&self, over: &CancellationToken, error: Option<Arc<str>>) -> bool {
        let mut state = self.all.state();
        let ours = state.live.get_mut(&self.request).filter(|live| live.generation == self.generation);
        let is_live = ours.is_some();
        if let Some(ours) = ours {
            ours.firing = Some(over.clone());
        }
        if is_live || self.all.variant == Variant::TriggerFiresCancelled {
            let (queue, key, generation) = (self.home.scope, Arc::clone(&self.key), self.generation);
            emit(ControllerEvent::TriggerFired { queue, key, generation, error });
        }
        is_live
    }

    /// It has fired; whether it goes on.
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
            let (queue, key, generation) = (self.home.scope, Arc::clone(&self.key), self.generation);
            emit(ControllerEvent::TriggerSet { queue, key, generation });
            state.live.insert(self.request.clone(), ours);
        } else {
            state.leave(ours);
        }
        goes_on
    }

    /// It was cut short while it fired: it does not re-arm.
    fn give_up(&self) {
        let mut state = self.all.state();
        let is_ours = state.live.get(&self.request).is_some_and(|live| live.generation == self.generation);
        if let Some(ours) = is_ours.then(|| state.live.remove(&self.request)).flatten() {
            state.leave(ours);
        }
    }
}

/// A trigger while it fires. However that ends, also by an abort or a panic of the queue, it does not stay registered
/// as firing, and whoever waits for it goes on.
struct Firing<'a> {
    trigger: &'a Trigger,
    over: CancellationToken,
    is_finished: bool,
}

impl Firing<'_> {
    /// Its item is added; whether it goes on.
    fn finish(mut self) -> bool {
        self.is_finished = true;
        self.trigger.finish()
    }
}

impl Drop for Firing<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.trigger.give_up();
        }
        self.over.cancel();
    }
}
