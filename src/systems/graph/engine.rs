//! The engine: one for every number of workers, order and strategy. It moves actions between the model and the
//! queue, runs each in a task of its own, and decides the verdict. Separate from the model, which knows who waits
//! for what; it must not know scenarios, properties or any runtime but the facade.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::CancellationToken;
use crate::task::{AbortHandle, spawn_named, yield_point};
use crate::time::{Duration, Instant, timeout};

use super::action::{ActionResult, BoxFuture, SharedAction};
use super::config::{Config, ErrorStrategy, OnStop, SignalOnError};
use super::context::{Context, Grow};
use super::declare;
use super::error::{ActionError, InvalidConfig, RunError};
use super::model::{ActionRef, Model, Signal, State, Step};
use super::outcome::Outcome;
use super::queue::{Closed, QueueError, WorkQueue};
use super::record::{GraphEvent, nanos};
use super::stop::Stop;
use super::tracer::TraceEntry;
use super::validate;
use super::variant::Variant;
use super::verdict;

/// Runs a list of actions; can run it any number of times.
pub struct Executor<E: ?Sized> {
    config: Config,
    actions: Vec<SharedAction<E>>,
}

/// The failure that stops a run.
pub(crate) struct Halt {
    pub(crate) action: ActionRef,
    pub(crate) error: ActionError,
}

/// Everything about one run, shared by its workers.
pub(crate) struct Running<E: ?Sized> {
    pub(crate) config: Config,
    env: Arc<E>,
    stop: Stop,
    start: Instant,
    pub(crate) queue: WorkQueue<u32>,
    ledger: Mutex<Ledger<E>>,
}

/// What the workers write.
struct Ledger<E: ?Sized> {
    model: Model,
    actions: Vec<SharedAction<E>>,
    ranks: BTreeMap<u32, i64>,
    results: BTreeMap<u32, ActionResult>,
    tasks: BTreeMap<u32, AbortHandle>,
    /// Marked as queued, and the queue has not answered yet.
    offered: BTreeSet<u32>,
    /// The result is written down, and the signals are not given yet.
    unsettled: BTreeMap<u32, (Duration, ActionResult)>,
    /// The outcome was taken: what happens from now on is in nobody's result.
    is_frozen: bool,
    is_in_pass: bool,
}

impl<E: ?Sized + Send + Sync + 'static> Executor<E> {
    /// An executor of the actions, in this order.
    ///
    /// # Errors
    /// The options are strict and the graph cannot end well.
    pub fn new(config: Config, actions: Vec<SharedAction<E>>) -> Result<Self, InvalidConfig> {
        if config.strict {
            validate::strict(&actions)?;
        }
        Ok(Executor { config, actions })
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The actions.
    pub fn actions(&self) -> &[SharedAction<E>] {
        &self.actions
    }

    /// Runs all actions until they ended, the first failure (if the strategy says so), the timeout, the deadline or
    /// the cancellation. Dropping the future closes the run and drops the actions in flight.
    ///
    /// # Errors
    /// Some action did not complete.
    pub async fn run(&self, env: Arc<E>, cancel: &CancellationToken) -> Result<Outcome, RunError> {
        self.resume(&Outcome::default(), env, cancel).await
    }

    /// Runs what an earlier run did not complete; its completed actions count as completed, their events as come.
    ///
    /// # Errors
    /// Some action did not complete.
    pub async fn resume(
        &self,
        from: &Outcome,
        env: Arc<E>,
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        let inputs = declare::inputs(&self.actions);
        let run = Arc::new(Running::new(&self.config, &self.actions, from, env, cancel));
        let _closer = CloseOnDrop(&run);
        let ended = run.work().await;
        let cause = run.stopped(ended.as_ref().err()).await;
        let is_whole = !matches!(ended, Err(QueueError::WorkerLost));
        let orphans_in_time = match &cause {
            None => true,
            Some(_) => run.await_orphans(cancel).await && is_whole,
        };
        let inputs_kept = inputs == declare::inputs(&self.actions);
        verdict::conclude(&run, cause, orphans_in_time, inputs_kept).await
    }
}

impl<E: ?Sized + Send + Sync + 'static> Running<E> {
    fn new(
        config: &Config,
        actions: &[SharedAction<E>],
        from: &Outcome,
        env: Arc<E>,
        cancel: &CancellationToken,
    ) -> Self {
        let stop = Stop::on(cancel.child_token()).after(config.timeout).at(config.deadline);
        let start = Instant::now();
        emit(GraphEvent::RunStarted(Arc::new(declare::settings(config, &stop, start))));
        let ledger = Ledger {
            model: declare::model(actions, from),
            actions: actions.to_vec(),
            ranks: declare::ranks(config.order, actions),
            results: declare::restored(actions, from),
            tasks: BTreeMap::new(),
            offered: BTreeSet::new(),
            unsettled: BTreeMap::new(),
            is_frozen: false,
            is_in_pass: false,
        };
        let queue = WorkQueue::planted(config.workers, false, config.variant);
        Running { config: config.clone(), env, stop, start, queue, ledger: Mutex::new(ledger) }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger<E>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, variant: Variant) -> bool {
        self.config.variant == variant
    }

    /// Queues what can run and works until the queue ends.
    async fn work(self: &Arc<Self>) -> Result<(), QueueError<Halt>> {
        self.queue_runnable().await;
        let run = Arc::clone(self);
        self.queue.run(&self.stop, move |index| Arc::clone(&run).execute(index)).await
    }

    /// Hands every runnable action to the queue; those that it refuses stay runnable.
    async fn queue_runnable(&self) {
        if self.has(Variant::PassSkippedWhenBusy) && std::mem::replace(&mut self.ledger().is_in_pass, true) {
            return;
        }
        loop {
            let batch = self.ledger().runnable();
            for (position, index) in batch.iter().enumerate() {
                yield_point("graph.queue").await;
                if !self.enqueue(*index).await {
                    if self.has(Variant::UnvisitedDropped) {
                        self.ledger().forget(&batch[position..]);
                    }
                    return;
                }
            }
            if batch.is_empty() || self.has(Variant::PassSkippedWhenBusy) {
                break;
            }
        }
        self.ledger().is_in_pass = false;
    }

    /// Hands one action to the queue; false when the queue has ended. Marking comes first, so that no other pass can
    /// hand it over too.
    async fn enqueue(&self, index: u32) -> bool {
        let marks_late = self.has(Variant::QueueBeforeRemoving);
        if !marks_late && !self.ledger().offer(index) {
            return true;
        }
        emit(GraphEvent::Queued { action: index });
        let rank = self.ledger().ranks.get(&index).copied().unwrap_or(0);
        let accepted = self.queue.add_ranked(index, rank).await.is_ok();
        if marks_late {
            self.ledger().model.apply(index, Step::Enqueue);
        }
        if !accepted {
            emit(GraphEvent::Refused { action: index });
        }
        self.ledger().answered(index, accepted);
        accepted
    }

    /// What a worker does with one action.
    async fn execute(self: Arc<Self>, index: u32) -> Result<(), Halt> {
        let start = self.elapsed();
        self.ledger().model.apply(index, Step::Start);
        emit(GraphEvent::Started { action: index });
        let result = self.perform(index).await;
        if self.has(Variant::CountBeforeRecord) {
            drop(spawn_named("settle", async move { self.settle(index, start, result).await }));
            return Ok(());
        }
        self.settle(index, start, result).await
    }

    /// Runs the action in a task of its own, so that a panic ends the action and not the run.
    async fn perform(self: &Arc<Self>, index: u32) -> ActionResult {
        let (action, reference) = self.ledger().action(index);
        if self.config.dry_run && !self.has(Variant::DryRunIgnored) {
            return Ok(action.dry_run());
        }
        let (grow, env): (Arc<dyn Grow<E>>, _) = (Arc::clone(self) as _, Arc::clone(&self.env));
        let name = Arc::clone(&reference.name);
        let context = Context::new(env, reference, self.stop.child(), grow, self.config.variant);
        let limit = action.timeout();
        let task = spawn_named(name, async move {
            match limit {
                Some(after) => match timeout(after, action.run(context)).await {
                    Ok(result) => result,
                    Err(_) => Err(ActionError::TimedOut { after }),
                },
                None => action.run(context).await,
            }
        });
        self.ledger().tasks.insert(index, task.abort_handle());
        let joined = task.await;
        joined.unwrap_or_else(|error| match error.is_panic() {
            true => Err(ActionError::Panicked { message: panic_message(&*error.into_panic()) }),
            false => Err(ActionError::Aborted),
        })
    }

    /// Records the result, signals, and queues what became runnable. These are three steps, and other workers may
    /// act between them.
    async fn settle(self: Arc<Self>, index: u32, start: Duration, result: ActionResult) -> Result<(), Halt> {
        yield_point("graph.model").await;
        if !self.record_result(index, start, &result) {
            return Ok(());
        }
        let stops = self.config.error_strategy == ErrorStrategy::StopOnError
            || self.has(Variant::StopDespiteContinue);
        let halts = result.is_err() && stops;
        if self.has(Variant::QueueBeforeSignal) {
            self.queue_runnable().await;
        }
        yield_point("graph.model").await;
        let signals = if halts { Vec::new() } else { self.signal(index, &result) };
        let is_untold = self.ledger().unsettled.remove(&index).is_some();
        if is_untold && !(halts && self.has(Variant::FailureUnrecorded)) {
            self.trace(index, start, &result, signals);
        }
        match result {
            Err(error) if halts => Err(Halt { action: self.ledger().action(index).1, error }),
            Ok(_) | Err(_) => {
                if !self.has(Variant::QueueBeforeSignal) {
                    self.queue_runnable().await;
                }
                Ok(())
            }
        }
    }

    /// Writes the result down; false when the outcome was taken before.
    fn record_result(&self, index: u32, start: Duration, result: &ActionResult) -> bool {
        let mut ledger = self.ledger();
        ledger.tasks.remove(&index);
        let is_dropped = matches!(result, Err(ActionError::Aborted))
            && self.config.on_stop == OnStop::Abort
            && self.queue.phase() == super::queue::Phase::Done;
        if ledger.is_frozen && !self.has(Variant::LiveResult) {
            return false;
        }
        if is_dropped {
            ledger.model.apply(index, Step::Abandon);
            drop(ledger);
            emit(GraphEvent::Abandoned { action: index });
            return false;
        }
        ledger.model.apply(index, if result.is_ok() { Step::Complete } else { Step::Fail });
        ledger.results.insert(index, result.clone());
        if !ledger.is_frozen {
            ledger.unsettled.insert(index, (start, result.clone()));
        }
        drop(ledger);
        let error = result.as_ref().err().map(|error| Arc::from(error.to_string()));
        emit(GraphEvent::Finished { action: index, error });
        true
    }

    /// Signals what a successful action emitted; a failed one emits nothing unless parity is asked for.
    fn signal(&self, index: u32, result: &ActionResult) -> Vec<Signal> {
        let always = self.config.signal_on_error == SignalOnError::Always
            || self.has(Variant::SuccessBeforeErrorCheck);
        let events = match result {
            Ok(events) => events.clone(),
            Err(_) if always => self.ledger().action(index).0.dry_run(),
            Err(_) => Vec::new(),
        };
        let mut ledger = self.ledger();
        if ledger.is_frozen {
            return Vec::new();
        }
        let mut signals = ledger.model.signal(&events);
        drop(ledger);
        if self.has(Variant::SignalTwice) {
            signals.extend(signals.clone());
        }
        for event in &events {
            emit(GraphEvent::Emitted { action: index, event: event.to_string().into() });
        }
        for signal in &signals {
            let (event, to) = (Arc::clone(&signal.label), signal.to.index);
            emit(GraphEvent::Signalled { from: index, event, to });
        }
        signals
    }

    fn trace(&self, index: u32, start: Duration, result: &ActionResult, signalled: Vec<Signal>) {
        let (action, reference) = self.ledger().action(index);
        let end = self.elapsed();
        let receivers = signalled.iter().map(|signal| signal.to.index).collect();
        let (start_ns, end_ns) = (nanos(start), nanos(end));
        emit(GraphEvent::Recorded { action: index, start_ns, end_ns, signalled: receivers });
        let Some(tracer) = &self.config.tracer else { return };
        let metadata = action.metadata();
        let (kind, summary) = (metadata.kind, Arc::clone(&metadata.summary));
        let error = result.as_ref().err().cloned();
        tracer.record(&TraceEntry { action: reference, kind, summary, start, end, error, signalled });
    }

    /// Takes back what was queued and not started; says why the run stopped, if it did.
    async fn stopped(&self, error: Option<&QueueError<Halt>>) -> Option<super::error::Cause> {
        let cause = verdict::cause(error?, self.limit());
        emit(GraphEvent::Stopped { cause: cause.kind() });
        yield_point("queue.state").await;
        for index in self.queue.unstarted() {
            if !self.has(Variant::QueuedVanish) {
                self.ledger().model.apply(index, Step::HandBack);
            }
        }
        Some(cause)
    }

    /// Waits for the actions in flight; false when they did not end in time.
    async fn await_orphans(&self, cancel: &CancellationToken) -> bool {
        if self.config.on_stop == OnStop::Abort {
            self.abort();
            return self.queue.drain(&Stop::never()).await.is_ok();
        }
        if self.stop.due().is_some() {
            self.stop.cancel();
        }
        let patience = Stop::on(cancel.child_token()).after(self.config.orphan_timeout);
        let patience = if self.has(Variant::OrphansUnderRunDeadline) { self.stop.clone() } else { patience };
        let in_time = self.queue.drain(&patience).await.is_ok();
        if !in_time {
            emit(GraphEvent::OrphansGivenUp { cancelled: cancel.is_cancelled() });
        }
        in_time
    }

    fn abort(&self) {
        let tasks: Vec<AbortHandle> = self.ledger().tasks.values().cloned().collect();
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// From the start of the run to its deadline.
    fn limit(&self) -> Duration {
        self.stop.deadline().map_or(Duration::ZERO, |deadline| deadline.duration_since(self.start))
    }

    /// Gives up on what is in flight and takes the outcome; later results change nothing. An orphan may be anywhere
    /// between the end of its action and the end of its queueing pass.
    pub(crate) fn freeze(&self, orphans_in_time: bool) -> (Outcome, Vec<AbortHandle>) {
        let mut ledger = self.ledger();
        let in_flight: Vec<u32> =
            ledger.model.in_state(State::InFlight).map(|node| node.action.index).collect();
        let tasks = in_flight.iter().filter_map(|index| ledger.tasks.get(index).cloned()).collect();
        let gives_up = !orphans_in_time && !self.has(Variant::LiveResult);
        let abandoned = if gives_up { in_flight } else { Vec::new() };
        for index in &abandoned {
            ledger.model.apply(*index, Step::Abandon);
        }
        for index in std::mem::take(&mut ledger.offered) {
            ledger.model.apply(index, Step::HandBack);
        }
        ledger.is_frozen = true;
        let unsettled = std::mem::take(&mut ledger.unsettled);
        let outcome = verdict::outcome(&ledger.model, &ledger.results, self.has(Variant::LiveResult));
        drop(ledger);
        for action in abandoned {
            emit(GraphEvent::Abandoned { action });
        }
        for (index, (start, result)) in unsettled {
            self.trace(index, start, &result, Vec::new());
        }
        (outcome, tasks)
    }

    /// The outcome as it would be now.
    pub(crate) fn peek(&self) -> Outcome {
        let ledger = self.ledger();
        verdict::outcome(&ledger.model, &ledger.results, true)
    }

    /// Since the start of the run.
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.start)
    }
}

impl<E: ?Sized> Ledger<E> {
    fn action(&self, index: u32) -> (SharedAction<E>, ActionRef) {
        (Arc::clone(&self.actions[index as usize]), self.model.node(index).action.clone())
    }

    /// Asks the gates, then lists what is runnable.
    fn runnable(&mut self) -> Vec<u32> {
        let actions = &self.actions;
        self.model.open_gates(|index, missing| {
            actions[index as usize].gate().is_some_and(|gate| gate.can_run(missing))
        });
        self.model.in_state(State::Runnable).map(|node| node.action.index).collect()
    }

    /// Marks a runnable action as queued; false when it is not runnable.
    fn offer(&mut self, index: u32) -> bool {
        let is_offered = self.model.apply(index, Step::Enqueue);
        if is_offered {
            self.offered.insert(index);
        }
        is_offered
    }

    fn answered(&mut self, index: u32, accepted: bool) {
        self.offered.remove(&index);
        if !accepted {
            self.model.apply(index, Step::HandBack);
        }
    }

    /// The planted loss: marked as queued, handed to nobody.
    fn forget(&mut self, indices: &[u32]) {
        for index in indices {
            self.model.apply(*index, Step::Enqueue);
        }
    }
}

impl<E: ?Sized + Send + Sync + 'static> Grow<E> for Running<E> {
    fn grow(&self, action: SharedAction<E>) -> BoxFuture<'_, Result<ActionRef, Closed<SharedAction<E>>>> {
        Box::pin(async move {
            let is_over = self.queue.phase() == super::queue::Phase::Done || self.stop.due().is_some();
            if is_over || self.ledger().is_frozen {
                return Err(Closed(action));
            }
            let reference = {
                let mut ledger = self.ledger();
                let reference = declare::add(&mut ledger.model, &*action);
                let rank = declare::added_rank(self.config.order, &reference, &*action);
                ledger.ranks.insert(reference.index, rank);
                ledger.actions.push(action);
                reference
            };
            self.queue_runnable().await;
            Ok(reference)
        })
    }
}

/// Ends the run when the future that runs it is dropped, or has returned.
struct CloseOnDrop<'r, E: ?Sized + Send + Sync + 'static>(&'r Arc<Running<E>>);

impl<E: ?Sized + Send + Sync + 'static> Drop for CloseOnDrop<'_, E> {
    fn drop(&mut self) {
        let returned = std::mem::replace(&mut self.0.ledger().is_frozen, true);
        if !returned {
            emit(GraphEvent::RunDropped);
            self.0.queue.close();
            self.0.stop.cancel();
            self.0.abort();
        }
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not a text".to_owned())
}
