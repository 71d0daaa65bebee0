//! The engine: one for every number of workers, order and strategy. It moves actions between the model and the
//! queue, runs each in a task of its own, and decides the verdict. Separate from the model, which knows who waits
//! for what; it must not know scenarios, properties or any runtime but the facade.

mod pass;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::CancellationToken;
use crate::task::{AbortHandle, spawn_named, yield_point};
use crate::time::{Duration, Instant, timeout};

use super::action::{ActionResult, BoxFuture, SharedAction, foretold};
use super::config::{Config, ErrorStrategy, OnStop, SignalOnError};
use super::context::{Context, Grow};
use super::declare;
use super::error::{ActionError, Cause, InvalidConfig, RunError};
use super::event::Event;
use super::model::{ActionRef, Model, Signal, State, Step};
use super::outcome::Outcome;
use super::queue::{Closed, Phase, QueueError, WorkQueue};
use super::record::{GraphEvent, nanos};
use super::stop::{Stop, StopCause};
use super::tracer::TraceEntry;
use super::validate;
use super::variant::Variant;
use super::verdict;

/// Runs a list of actions; can run it any number of times.
pub struct Executor<E: ?Sized> {
    config: Config,
    actions: Vec<SharedAction<E>>,
}

/// What a worker found that stops the run.
pub(crate) enum Halt {
    /// An action failed, and the run stops on errors.
    Failed { action: ActionRef, error: ActionError },
    /// The stop was due when an action was about to start.
    Due(StopCause),
}

/// When an action started and ended, since the start of the run.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    start: Duration,
    end: Duration,
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
    /// The result is written down, and the signals are not given yet.
    unsettled: BTreeMap<u32, (Times, ActionResult)>,
    /// The stop was told: nothing starts from now on.
    is_stopped: bool,
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
        let orphans_in_time = match &cause {
            None => true,
            Some(_) => run.await_orphans(cancel).await,
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
        let restored = declare::Restored::new(actions, from);
        let ledger = Ledger {
            model: declare::model(actions, from, &restored),
            actions: actions.to_vec(),
            ranks: declare::ranks(config.order, actions),
            results: restored.results(from),
            tasks: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            is_stopped: false,
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

    /// What a worker does with one action.
    async fn execute(self: Arc<Self>, index: u32) -> Result<(), Halt> {
        yield_point("graph.model").await;
        let Some(start) = self.begin(index)? else { return Ok(()) };
        let (result, end) = self.perform(index).await;
        let times = Times { start, end };
        if self.has(Variant::CountBeforeRecord) {
            drop(spawn_named("settle", async move { self.settle(index, times, result).await }));
            return Ok(());
        }
        self.settle(index, times, result).await
    }

    /// Marks the action as started and says when; if the run has stopped since it was taken from the queue, or is to
    /// stop now, it goes back to those that were not started.
    fn begin(&self, index: u32) -> Result<Option<Duration>, Halt> {
        let mut ledger = self.ledger();
        let due = self.stop.due();
        if (ledger.is_stopped || due.is_some()) && !self.has(Variant::StartAfterStop) {
            ledger.model.apply(index, Step::HandBack);
            return due.map_or(Ok(None), |cause| Err(Halt::Due(cause)));
        }
        ledger.model.apply(index, Step::Start);
        emit(GraphEvent::Started { action: index });
        Ok(Some(self.elapsed()))
    }

    /// Runs the action in a task of its own, so that a panic ends the action and not the run; says when it ended.
    async fn perform(self: &Arc<Self>, index: u32) -> (ActionResult, Duration) {
        let (action, reference) = self.ledger().action(index);
        if self.config.dry_run && !self.has(Variant::DryRunIgnored) {
            return (foretold(&*action), self.elapsed());
        }
        let (grow, env): (Arc<dyn Grow<E>>, _) = (Arc::clone(self) as _, Arc::clone(&self.env));
        let name = Arc::clone(&reference.name);
        let context = Context::new(env, reference, self.stop.child(), grow, self.config.variant);
        let limit = action.timeout();
        let task = spawn_named(name, async move {
            let result = match limit {
                Some(after) => match timeout(after, action.run(context)).await {
                    Ok(result) => result,
                    Err(_) => Err(ActionError::TimedOut { after }),
                },
                None => action.run(context).await,
            };
            (result, Instant::now())
        });
        self.hold(index, task.abort_handle());
        match task.await {
            Ok((result, end)) => (result, end.duration_since(self.start)),
            Err(error) if error.is_panic() => {
                (Err(ActionError::panicked(&*error.into_panic())), self.elapsed())
            }
            Err(_) => (Err(ActionError::Aborted), self.elapsed()),
        }
    }

    /// Keeps the task of an action, to abort it; at once when the others were aborted before it was here.
    fn hold(&self, index: u32, task: AbortHandle) {
        let mut ledger = self.ledger();
        let is_late = ledger.is_frozen || (ledger.is_stopped && self.config.on_stop == OnStop::Abort);
        ledger.tasks.insert(index, task.clone());
        drop(ledger);
        if is_late {
            task.abort();
        }
    }

    /// Records the result, signals, and queues what became runnable. These are three steps, and other workers may
    /// act between them.
    async fn settle(self: Arc<Self>, index: u32, times: Times, result: ActionResult) -> Result<(), Halt> {
        yield_point("graph.model").await;
        if !self.record_result(index, times, &result) {
            return Ok(());
        }
        let halts = self.halts(&result);
        if self.has(Variant::QueueBeforeSignal) {
            self.queue_runnable().await;
        }
        yield_point("graph.model").await;
        if let Some(signals) = self.signal(index, &result)
            && !(halts && self.has(Variant::FailureUnrecorded))
        {
            self.trace(index, times, &result, signals);
        }
        match result {
            Err(error) if halts => Err(Halt::Failed { action: self.ledger().action(index).1, error }),
            Ok(_) | Err(_) => {
                if !self.has(Variant::QueueBeforeSignal) {
                    self.queue_runnable().await;
                }
                Ok(())
            }
        }
    }

    /// The result stops the run.
    fn halts(&self, result: &ActionResult) -> bool {
        let stops = self.config.error_strategy == ErrorStrategy::StopOnError
            || self.has(Variant::StopDespiteContinue);
        result.is_err() && stops
    }

    /// Writes the result down; false when the outcome was taken before.
    fn record_result(&self, index: u32, times: Times, result: &ActionResult) -> bool {
        let mut ledger = self.ledger();
        ledger.tasks.remove(&index);
        let is_dropped = matches!(result, Err(ActionError::Aborted))
            && self.config.on_stop == OnStop::Abort
            && self.queue.phase() == Phase::Done;
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
            ledger.unsettled.insert(index, (times, result.clone()));
        }
        drop(ledger);
        let error = result.as_ref().err().map(|error| Arc::from(error.to_string()));
        emit(GraphEvent::Finished { action: index, error });
        true
    }

    /// What a result signals: a success what it emitted, a failure nothing unless parity is asked for. A retry that
    /// was cancelled never signals.
    fn events_of(&self, action: &SharedAction<E>, result: &ActionResult) -> Vec<Event> {
        let always = self.config.signal_on_error == SignalOnError::Always
            || self.has(Variant::SuccessBeforeErrorCheck);
        match result {
            Ok(events) => events.clone(),
            Err(_) if self.halts(result) => Vec::new(),
            Err(ActionError::Retried { cancelled: true, .. }) => Vec::new(),
            Err(_) if always => foretold(&**action).unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// Signals what the result emits; none when the outcome was taken before, and the signals with it.
    fn signal(&self, index: u32, result: &ActionResult) -> Option<Vec<Signal>> {
        let action = self.ledger().action(index).0;
        let events = self.events_of(&action, result);
        let mut ledger = self.ledger();
        drop(ledger.unsettled.remove(&index)?);
        let signals = ledger.model.signal(&events);
        drop(ledger);
        Some(self.announce(index, &events, signals))
    }

    fn announce(&self, index: u32, events: &[Event], mut signals: Vec<Signal>) -> Vec<Signal> {
        if self.has(Variant::SignalTwice) {
            signals.extend(signals.clone());
        }
        for event in events {
            emit(GraphEvent::Emitted { action: index, event: event.to_string().into() });
        }
        for signal in &signals {
            let (event, to) = (Arc::clone(&signal.label), signal.to.index);
            emit(GraphEvent::Signalled { from: index, event, to });
        }
        signals
    }

    fn trace(&self, index: u32, times: Times, result: &ActionResult, signalled: Vec<Signal>) {
        let (action, reference) = self.ledger().action(index);
        let Times { start, end } = times;
        let receivers = signalled.iter().map(|signal| signal.to.index).collect();
        let (start_ns, end_ns) = (nanos(start), nanos(end));
        emit(GraphEvent::Recorded { action: index, start_ns, end_ns, signalled: receivers });
        let Some(tracer) = &self.config.tracer else { return };
        let metadata = action.metadata();
        let (kind, summary) = (metadata.kind, Arc::clone(&metadata.summary));
        let error = result.as_ref().err().cloned();
        tracer.record(&TraceEntry { action: reference, kind, summary, start, end, error, signalled });
    }

    /// Nothing starts from here on: the mark and the event are one to whoever is about to start an action.
    fn tell_stop(&self, cause: &'static str) {
        let mut ledger = self.ledger();
        ledger.is_stopped = true;
        emit(GraphEvent::Stopped { cause });
    }

    /// Takes back what was queued and not started; says why the run stopped, if it did.
    async fn stopped(&self, error: Option<&QueueError<Halt>>) -> Option<Cause> {
        let cause = verdict::cause(error?, self.limit());
        self.tell_stop(cause.kind());
        yield_point("queue.state").await;
        let unstarted = self.queue.unstarted();
        yield_point("graph.model").await;
        for index in unstarted {
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
        let patience = Stop::on(cancel.child_token()).after(self.config.orphan_timeout);
        let patience = if self.has(Variant::OrphansUnderRunDeadline) { self.stop.clone() } else { patience };
        let in_time = crate::select! {
            biased;
            never = self.cancel_when_due() => match never {},
            drained = self.queue.drain(&patience) => drained.is_ok(),
        };
        if !in_time {
            emit(GraphEvent::OrphansGivenUp { cancelled: cancel.is_cancelled() });
        }
        in_time
    }

    /// Cancels what the actions in flight look at, also when the deadline passes only after the stop.
    async fn cancel_when_due(&self) -> Infallible {
        self.stop.wait().await;
        self.stop.cancel();
        std::future::pending().await
    }

    fn abort(&self) {
        let tasks: Vec<AbortHandle> = self.ledger().tasks.values().cloned().collect();
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// From the start of the run to its deadline.
    fn limit(&self) -> Duration {
        self.stop.deadline().map_or(Duration::ZERO, |deadline| deadline.duration_since(self.start))
    }

    /// Takes the outcome; later results change nothing. Gives up on what is in flight if it is told to. An orphan may be
    /// anywhere between the end of its action and the end of its queueing pass: what it has not signalled is signalled
    /// here, and what it has not handed over was not started.
    pub(crate) fn freeze(&self, gives_up: bool) -> (Outcome, Vec<AbortHandle>) {
        let mut ledger = self.ledger();
        let mut settled = Vec::new();
        for (index, (times, result)) in std::mem::take(&mut ledger.unsettled) {
            let events = self.events_of(&ledger.action(index).0, &result);
            let signals = ledger.model.signal(&events);
            settled.push((index, times, result, events, signals));
        }
        let in_flight = ledger.indices_in(State::InFlight);
        let tasks = in_flight.iter().filter_map(|index| ledger.tasks.get(index).cloned()).collect();
        let gives_up = gives_up && !self.has(Variant::LiveResult);
        let abandoned = if gives_up { in_flight } else { Vec::new() };
        for index in &abandoned {
            ledger.model.apply(*index, Step::Abandon);
        }
        if !self.has(Variant::QueuedVanish) && !self.has(Variant::UnvisitedDropped) {
            for index in ledger.indices_in(State::Queued) {
                ledger.model.apply(index, Step::HandBack);
            }
        }
        ledger.is_frozen = true;
        let outcome = verdict::outcome(&ledger.model, &ledger.results, self.has(Variant::LiveResult));
        let count = ledger.model.nodes().len();
        drop(ledger);
        debug_assert!(
            !self.has(Variant::Correct) || outcome.len() == count,
            "every action is in one of the five sets: {count} in {outcome:?}"
        );
        for action in abandoned {
            emit(GraphEvent::Abandoned { action });
        }
        for (index, times, result, events, signals) in settled {
            let signals = self.announce(index, &events, signals);
            self.trace(index, times, &result, signals);
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
        self.indices_in(State::Runnable)
    }

    fn indices_in(&self, state: State) -> Vec<u32> {
        self.model.in_state(state).map(|node| node.action.index).collect()
    }
}

impl<E: ?Sized + Send + Sync + 'static> Grow<E> for Running<E> {
    fn grow(&self, action: SharedAction<E>) -> BoxFuture<'_, Result<ActionRef, Closed<SharedAction<E>>>> {
        Box::pin(async move {
            let reference = {
                let mut ledger = self.ledger();
                let is_closed = ledger.is_frozen || ledger.is_stopped;
                if is_closed || self.stop.due().is_some() || self.queue.phase() == Phase::Done {
                    return Err(Closed(action));
                }
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

/// Ends the run when the future that runs it is dropped before it has returned; its tracer hears of the end too.
struct CloseOnDrop<'r, E: ?Sized + Send + Sync + 'static>(&'r Arc<Running<E>>);

impl<E: ?Sized + Send + Sync + 'static> Drop for CloseOnDrop<'_, E> {
    fn drop(&mut self) {
        let run = self.0;
        if run.ledger().is_frozen {
            return;
        }
        run.ledger().is_stopped = true;
        emit(GraphEvent::RunDropped);
        run.queue.close();
        run.stop.cancel();
        run.abort();
        if std::thread::panicking() {
            // No code of a user is called on the way out of a panic.
            run.ledger().is_frozen = true;
            return;
        }
        let (outcome, _) = run.freeze(true);
        if let Some(tracer) = &run.config.tracer {
            tracer.finish(&outcome, run.elapsed());
        }
    }
}
