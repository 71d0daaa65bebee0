//! The world: all state of one simulation, and its moves. Every function here runs with the world borrowed, so none
//! calls user code; what holds user values is returned.

use super::current::{self, Leftovers, Message};
use super::end::{Budget, End, LeakPolicy, PanicPolicy};
use super::objects::Objects;
use super::stats::Counts;
use super::tasks::{Boxed, Ending, NewTask, TaskId, Tasks};
use super::timers::{Due, NOBODY, TimerKey, Timers};
use super::wait::Frozen;
use super::waker::WakeId;
use crate::choice::fault::{FaultPlan, SITE_LATE, SITE_STALL, option_name};
use crate::choice::tape::{Deviation, Tape, owner};
use crate::choice::{Access, Ask, Entry, Label, Names, Notice, Ready, Source, Weights};
use crate::trace::{Digests, Event, Kind};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

const STALL: Label = Label::new(SITE_STALL);
const LATE: Label = Label::new(SITE_LATE);
const HOLD: Weights = Weights::Fault(0b0001_1111);

/// What a run keeps beside its digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing: a sweep.
    #[default]
    Digests,
    /// Names and the tape.
    Tape,
    /// Names, the tape and every event.
    Trace,
}

/// What a world is made of.
pub(crate) struct Config {
    pub(crate) source: Box<dyn Source>,
    pub(crate) plan: FaultPlan,
    pub(crate) budget: Budget,
    pub(crate) panics: PanicPolicy,
    pub(crate) leaks: LeakPolicy,
    pub(crate) keep: Keep,
    pub(crate) checkpoints: bool,
    /// Where to say who runs, for a watchdog on another thread.
    pub(crate) watch: Option<Arc<Mutex<String>>>,
}

/// Something that waits for emitted records: a property's fold.
pub(crate) struct Observer {
    pub(crate) property: &'static str,
    pub(crate) observe: Box<dyn FnMut(&dyn Any, u64) -> Result<(), String>>,
}

/// A broken property.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) property: String,
    pub(crate) detail: String,
}

/// A task or timer that a fault holds back.
enum Held {
    Task { slot: u32, serial: u32 },
    Timer(Due),
}

pub(crate) struct World {
    pub(crate) epoch: u32,
    pub(crate) parent: Option<Box<World>>,
    pub(crate) now: u64,
    pub(crate) steps: u64,
    steps_at_jump: u64,
    steps_limit: u64,
    attention: bool,
    pub(crate) tasks: Tasks,
    pub(crate) ready: Ready,
    woken: Vec<u32>,
    pub(crate) running: Option<u32>,
    last_polled: Option<u32>,
    pub(crate) timers: Timers,
    held: Vec<(u8, Held)>,
    source: Box<dyn Source>,
    listens: bool,
    pub(crate) digests: Digests,
    pub(crate) names: Option<Names>,
    pub(crate) tape: Tape,
    pub(crate) events: Option<Vec<Event>>,
    pub(crate) plan: FaultPlan,
    holds_tasks: bool,
    holds_timers: bool,
    pub(crate) quiet: bool,
    pub(crate) closing: bool,
    pub(crate) frozen: Option<Frozen>,
    pub(crate) budget: Budget,
    pub(crate) panics: PanicPolicy,
    pub(crate) leaks: LeakPolicy,
    pub(crate) counts: Counts,
    pub(crate) coverage: BTreeMap<&'static str, u64>,
    pub(crate) observers: Vec<Observer>,
    /// Whether a predicate wants to know what was written.
    pub(crate) watches: bool,
    pub(crate) touched: Vec<u64>,
    pub(crate) hosts: Vec<Arc<str>>,
    pub(crate) required_left: u32,
    pub(crate) progress_at: u64,
    pub(crate) unjoined_panics: Vec<(TaskId, String, String)>,
    pub(crate) verdict: Option<End>,
    pub(crate) objects: Objects,
    watch: Option<Arc<Mutex<String>>>,
}

/// What the step loop does next.
pub(crate) enum Next {
    /// Poll this task.
    Poll { slot: u32, boxed: Boxed, id: WakeId },
    /// Drop this task, which was aborted.
    Cancel { slot: u32, boxed: Boxed },
    /// Time moved; wake these foreign wakers.
    Time(Vec<Waker>),
    /// Nothing is ready, and no deadline is at or before the limit.
    Idle,
    /// A verdict stands, the workload is over, or a budget is spent: the driver decides.
    Attention,
}

impl World {
    pub(crate) fn new(config: Config) -> Box<World> {
        let names = (config.keep >= Keep::Tape || config.source.needs_names()).then(Names::default);
        Box::new(World {
            epoch: current::open_epoch(),
            parent: None,
            now: 0,
            steps: 0,
            steps_at_jump: 0,
            steps_limit: config.budget.steps_max.min(config.budget.zero_time_steps_max),
            attention: false,
            tasks: Tasks::default(),
            ready: Ready::default(),
            woken: Vec::new(),
            running: None,
            last_polled: None,
            timers: Timers::default(),
            held: Vec::new(),
            listens: config.source.listens(),
            source: config.source,
            digests: Digests::new(config.checkpoints),
            names,
            tape: Tape::default(),
            events: (config.keep == Keep::Trace).then(Vec::new),
            holds_tasks: config.plan.speaks_of(SITE_STALL),
            holds_timers: config.plan.speaks_of(SITE_LATE),
            plan: config.plan,
            quiet: false,
            closing: false,
            frozen: None,
            budget: config.budget,
            panics: config.panics,
            leaks: config.leaks,
            counts: Counts::default(),
            coverage: BTreeMap::new(),
            observers: Vec::new(),
            watches: false,
            touched: Vec::new(),
            hosts: Vec::new(),
            required_left: 0,
            progress_at: 0,
            unjoined_panics: Vec::new(),
            verdict: None,
            objects: Objects::default(),
            watch: config.watch,
        })
    }

    // Choices.

    /// Asks the source at a site, on behalf of the running task.
    pub(crate) fn choose(&mut self, label: Label, object: &str, arity: u64, weights: Weights) -> u64 {
        self.choose_for(self.running, label, object, arity, weights)
    }

    fn choose_for(
        &mut self,
        who: Option<u32>,
        label: Label,
        object: &str,
        arity: u64,
        weights: Weights,
    ) -> u64 {
        let fault = matches!(weights, Weights::Fault(_));
        if self.closing || self.frozen.is_some() || (fault && self.quiet) {
            return 0;
        }
        let host = who.map_or(0, |slot| self.tasks.peek(slot).host);
        let host = self.hosts.get(usize::from(host)).map_or("", |name| &**name);
        let mut task: Arc<str> = Arc::default();
        let mut occurrence = 0;
        if let Some(names) = &mut self.names {
            task = who.map_or_else(Arc::default, |slot| names.path(slot).clone());
            occurrence = names.occurrence(label.hash(), &owner(object, host, &task));
        }
        let ask = Ask {
            label,
            object,
            arity,
            weights,
            host,
            task: &task,
            occurrence,
            now: self.now,
        };
        let answer = self.source.choose(&ask);
        let value = if ask.exists(answer) { answer } else { 0 };
        self.digests.choice(label.hash(), arity, value);
        self.counts.count(label, fault, value != 0);
        if value != 0 && occurrence != 0 {
            let owner = owner(object, host, &task);
            self.note_choice(label.name(), owner, occurrence, value, fault);
        }
        value
    }

    #[cold]
    fn note_choice(&mut self, site: &'static str, owner: String, occurrence: u32, option: u64, fault: bool) {
        self.tape.choice.push(Deviation {
            site: site.to_owned(),
            owner: owner.clone(),
            occurrence,
            option,
        });
        let meaning = fault.then(|| option_name(site, option));
        self.record(Kind::Choice {
            site,
            owner,
            occurrence,
            option,
            meaning,
        });
    }

    /// The options of a fault site for the running task, as a mask.
    pub(crate) fn fault_options(&self, site: &str, object: &str) -> u8 {
        if self.quiet {
            1
        } else {
            self.plan.options(site, object, self.host_name())
        }
    }

    /// The host of the running task.
    pub(crate) fn host_name(&self) -> &str {
        let host = self.running.map_or(0, |slot| self.tasks.peek(slot).host);
        self.hosts.get(usize::from(host)).map_or("", |name| &**name)
    }

    /// Hears that the running task is about to touch a shared object.
    pub(crate) fn access(&mut self, object: u64, access: Access) {
        if self.watches && access == Access::Write && !self.touched.contains(&object) {
            self.touched.push(object);
        }
        if self.listens
            && let Some(slot) = self.running
        {
            let task = self.tasks.at(slot).serial;
            self.source.notice(Notice::Access { task, object, access });
        }
    }

    // Tasks.

    /// Begins a task; the id of its slot. The box comes back when the world is closing or frozen.
    pub(crate) fn spawn(&mut self, new: NewTask) -> Result<TaskId, Boxed> {
        if self.closing || self.frozen.is_some() {
            return Err(new.boxed);
        }
        let (host, parent_serial, required) = (new.host, new.parent, new.required);
        let segment = self.names.is_some().then(|| new.name.segment().to_owned());
        let id = self.tasks.insert(new);
        self.required_left += u32::from(required);
        let serial = self.tasks.at(id.slot).serial;
        self.digests.event(1 << 62 | u64::from(serial));
        self.progress_at = self.now;
        if let Some(segment) = segment {
            self.name_task(id.slot, host, &segment);
        }
        if self.listens {
            self.source.notice(Notice::Spawned {
                task: serial,
                parent: parent_serial,
            });
        }
        self.tasks.at(id.slot).queued = true;
        self.woken.push(id.slot);
        Ok(id)
    }

    #[cold]
    fn name_task(&mut self, slot: u32, host: u16, segment: &str) {
        let running = self.running;
        let host = self.hosts[usize::from(host)].clone();
        let Some(names) = &mut self.names else { return };
        let path = match running {
            Some(parent) => {
                let parent = names.path(parent).clone();
                names.spawn(slot, Some(&parent), segment)
            }
            None if segment == "main" => names.spawn(slot, None, &host),
            None => names.spawn(slot, Some(&host), segment),
        };
        self.record(Kind::Spawned { path });
    }

    /// Marks a task ready. A stale id, an ended task, a queued one and a frozen world ignore it.
    #[inline]
    pub(crate) fn wake(&mut self, id: WakeId) {
        if self.frozen.is_some() {
            return;
        }
        let id = TaskId {
            slot: id.slot(),
            generation: id.generation(),
        };
        if let Some(task) = self.tasks.get_mut(id)
            && task.live
            && !task.queued
        {
            task.queued = true;
            self.woken.push(id.slot);
        }
    }

    /// Flags a task for dropping and queues it.
    pub(crate) fn abort(&mut self, id: TaskId) {
        let epoch = self.epoch;
        if let Some(task) = self.tasks.get_mut(id)
            && task.live
            && !task.aborted
        {
            task.aborted = true;
            self.wake(WakeId::new(epoch, id.generation, id.slot));
        }
    }

    /// Moves the tasks woken since the last poll into the ready set, in spawn order.
    #[inline]
    fn flush_woken(&mut self) {
        match self.woken.len() {
            0 => {}
            1 => {
                let slot = self.woken[0];
                self.woken.clear();
                self.enqueue(slot);
            }
            _ => {
                let mut woken = std::mem::take(&mut self.woken);
                woken.sort_unstable_by_key(|&slot| self.tasks.at(slot).serial);
                for &slot in &woken {
                    self.enqueue(slot);
                }
                woken.clear();
                self.woken = woken;
            }
        }
    }

    #[inline]
    fn enqueue(&mut self, slot: u32) {
        let serial = self.tasks.at(slot).serial;
        if self.holds_tasks && !self.quiet && self.hold_task(slot, serial) {
            return;
        }
        self.push_ready(slot, serial);
    }

    #[inline]
    fn push_ready(&mut self, slot: u32, serial: u32) {
        self.ready.push(slot, serial);
        if self.listens {
            self.source.notice(Notice::Ready { task: serial });
        }
    }

    #[cold]
    fn hold_task(&mut self, slot: u32, serial: u32) -> bool {
        if self.timers.next_deadline().is_none() {
            return false;
        }
        let deadlines = self.choose_for(Some(slot), STALL, "", 8, HOLD) as u8;
        if deadlines > 0 {
            self.held.push((deadlines, Held::Task { slot, serial }));
        }
        deadlines > 0
    }

    // Steps.

    /// What to do next; time may move up to `limit`.
    #[inline]
    pub(crate) fn next(&mut self, limit: u64) -> Next {
        self.flush_woken();
        if self.attention || self.steps >= self.steps_limit {
            self.attention = false;
            return Next::Attention;
        }
        if self.ready.is_empty() {
            return self.advance(limit);
        }
        let entry = self.pick();
        self.steps += 1;
        self.running = Some(entry.slot);
        self.last_polled = self.running;
        self.digests.event((self.now << 20) ^ u64::from(entry.serial));
        let task = self.tasks.at(entry.slot);
        task.queued = false;
        task.polled_at = self.now;
        let boxed = task.boxed.take().expect("a ready task has its future");
        if task.aborted {
            return Next::Cancel {
                slot: entry.slot,
                boxed,
            };
        }
        let id = WakeId::new(self.epoch, task.generation, entry.slot);
        Next::Poll {
            slot: entry.slot,
            boxed,
            id,
        }
    }

    #[inline]
    fn pick(&mut self) -> Entry {
        let count = self.ready.len();
        if self.names.is_some() {
            return self.pick_named();
        }
        if count == 1 {
            return self.ready.take(0);
        }
        let index = if self.quiet {
            self.ready.oldest()
        } else {
            self.source.pick(&self.ready, None)
        };
        self.digests.pick(count, index);
        self.counts.picks += 1;
        self.ready.take(index)
    }

    #[cold]
    fn pick_named(&mut self) -> Entry {
        let count = self.ready.len();
        let oldest = self.ready.oldest();
        let mut index = oldest;
        if count > 1 {
            if !self.quiet {
                index = self.source.pick(&self.ready, self.names.as_ref());
            }
            self.digests.pick(count, index);
            self.counts.picks += 1;
        }
        let overtaken = (index != oldest).then(|| self.ready.entries()[oldest].slot);
        let entry = self.ready.take(index);
        self.note_turn(entry.slot, overtaken, count);
        entry
    }

    fn note_turn(&mut self, slot: u32, overtaken: Option<u32>, count: usize) {
        let Some(names) = &mut self.names else { return };
        if let Some(oldest) = overtaken {
            self.tape
                .note_overtaking(names.path(oldest), names.next_turn(oldest), names.path(slot));
        }
        names.took_turn(slot);
        if let Some(watch) = &self.watch {
            names
                .path(slot)
                .as_ref()
                .clone_into(&mut watch.lock().unwrap_or_else(PoisonError::into_inner));
        }
        if let Some(events) = &mut self.events {
            let instead_of = overtaken.map(|oldest| names.path(oldest).clone());
            let kind = Kind::Turn {
                turn: names.next_turn(slot) - 1,
                ready: count as u32,
                instead_of,
            };
            events.push(Event {
                at: self.now,
                task: Some(names.path(slot).clone()),
                kind,
            });
        }
    }

    /// The poll of `slot` is over and the task goes on.
    #[inline]
    pub(crate) fn pending(&mut self, slot: u32, boxed: Boxed) {
        self.running = None;
        self.tasks.at(slot).boxed = Some(boxed);
    }

    /// The task in `slot` ended; what is left of it is returned, to be dropped and woken by the caller.
    pub(crate) fn ended(&mut self, slot: u32, boxed: Option<Boxed>, ending: Ending) -> Leftovers {
        self.running = None;
        let name = ending.name();
        let panic = match &ending {
            Ending::Panicked(payload) => {
                Some(super::panics::take_last().unwrap_or_else(|| super::panics::message(&**payload)))
            }
            Ending::Finished | Ending::Cancelled => None,
        };
        if self.tasks.at(slot).queued {
            self.forget(slot);
        }
        self.tasks.end(slot, ending);
        let task = self.tasks.at(slot);
        let (serial, required, handle) = (task.serial, task.required, task.handle);
        let id = TaskId {
            slot,
            generation: task.generation,
        };
        let joiner = task.joiner.take();
        self.required_left -= u32::from(required);
        self.attention |= required && self.required_left == 0;
        self.digests.event(2 << 62 | u64::from(serial));
        self.progress_at = self.now;
        if self.listens {
            self.source.notice(Notice::Done { task: serial });
        }
        if let Some(message) = panic {
            let path = self.task_label(slot);
            if handle && self.panics == PanicPolicy::FailUnlessJoined {
                self.unjoined_panics.push((id, path, message));
            } else {
                self.end_with(End::Panicked { task: path, message });
            }
        }
        if self.events.is_some() {
            let path = self.path(slot);
            self.record(Kind::Ended { path, how: name });
        }
        self.settle(slot, boxed, joiner)
    }

    /// Keeps an output for the handle, or gives the slot back.
    fn settle(&mut self, slot: u32, boxed: Option<Boxed>, joiner: Option<Waker>) -> Leftovers {
        let mut leftovers = Leftovers { boxed, waker: None };
        if self.tasks.at(slot).handle {
            self.tasks.at(slot).boxed = leftovers.boxed.take();
        } else {
            self.tasks.release(slot);
        }
        if let Some(waker) = joiner {
            match WakeId::of(&waker) {
                Some(id) if id.epoch() == self.epoch => self.wake(id),
                Some(_) | None => leftovers.waker = Some(waker),
            }
        }
        leftovers
    }

    /// Takes an ended task out of the queues that its last poll may have put it in.
    fn forget(&mut self, slot: u32) {
        self.woken.retain(|woken| *woken != slot);
        self.tasks.at(slot).queued = false;
    }

    /// Moves time to the next deadline, if it is within `limit`, and fires what is due.
    fn advance(&mut self, limit: u64) -> Next {
        match self.timers.next_deadline() {
            Some(deadline) if deadline <= limit => self.jump(deadline),
            None if !self.held.is_empty() => self.release_held(),
            Some(_) | None => Next::Idle,
        }
    }

    fn jump(&mut self, deadline: u64) -> Next {
        let mut foreign = Vec::new();
        self.now = deadline;
        self.steps_at_jump = self.steps;
        self.limit_steps();
        self.attention |= self.required_left > 0 && self.is_stale();
        let mut late = Vec::new();
        while let Some(due) = self.timers.pop_due(deadline) {
            match self.lateness(&due) {
                0 => self.fire(due, &mut foreign),
                deadlines => late.push((deadlines, Held::Timer(due))),
            }
        }
        let mut waiting = std::mem::take(&mut self.held);
        for (left, _) in &mut waiting {
            *left -= 1;
        }
        for (left, held) in waiting {
            if left == 0 {
                self.let_go(held, &mut foreign)
            } else {
                self.held.push((left, held))
            }
        }
        self.held.extend(late);
        Next::Time(foreign)
    }

    /// With no deadline left to wait for, what is held is late enough.
    fn release_held(&mut self) -> Next {
        let mut foreign = Vec::new();
        for (_, held) in std::mem::take(&mut self.held) {
            self.let_go(held, &mut foreign);
        }
        Next::Time(foreign)
    }

    fn lateness(&mut self, due: &Due) -> u8 {
        if !self.holds_timers || self.quiet {
            return 0;
        }
        if due.owner == NOBODY {
            return 0;
        }
        self.choose_for(Some(due.owner), LATE, "", 8, HOLD) as u8
    }

    fn let_go(&mut self, held: Held, foreign: &mut Vec<Waker>) {
        match held {
            Held::Task { slot, serial } => {
                let task = self.tasks.at(slot);
                if task.live && task.serial == serial {
                    self.push_ready(slot, serial);
                }
            }
            Held::Timer(due) => self.fire(due, foreign),
        }
    }

    /// Own wakers enter the ready set here, in firing order; others are for the caller to wake.
    fn fire(&mut self, due: Due, foreign: &mut Vec<Waker>) {
        let Some(id) = WakeId::of(&due.waker).filter(|id| id.epoch() == self.epoch) else {
            return foreign.push(due.waker);
        };
        let task = TaskId {
            slot: id.slot(),
            generation: id.generation(),
        };
        if let Some(slot) = self.tasks.get_mut(task)
            && slot.live
            && !slot.queued
        {
            slot.queued = true;
            self.enqueue(task.slot);
        }
    }

    /// Moves time to `to` without an event; for a limit that no deadline reaches.
    pub(crate) fn wait_until(&mut self, to: u64) {
        self.now = self.now.max(to);
    }

    /// Whether nothing happened for as long as the budget allows.
    fn is_stale(&self) -> bool {
        u128::from(self.now - self.progress_at) > self.budget.stuck_after.as_nanos()
    }

    /// How the run ends for its cost, if it does.
    pub(crate) fn spent(&mut self) -> Option<End> {
        if self.steps >= self.budget.steps_max {
            return Some(End::OutOfBudget {
                detail: format!("{} steps", self.steps),
            });
        }
        if self.steps - self.steps_at_jump >= self.budget.zero_time_steps_max {
            return Some(End::ZeroTimeLoop {
                task: self.last_label(),
            });
        }
        (self.required_left > 0 && self.is_stale())
            .then(|| self.stuck())
            .flatten()
    }

    /// Stuck, unless a timer was set that is longer than the patience.
    fn stuck(&mut self) -> Option<End> {
        let patience = self.budget.stuck_after;
        self.progress_at = self.now;
        let patient = self
            .timers
            .waiting()
            .any(|(_, since, until)| u128::from(until - since) >= patience.as_nanos());
        (!patient).then(|| End::Deadlock {
            detail: format!("timers go on, but nothing happened for {patience:?}"),
        })
    }

    /// Sets the number of steps at which the driver looks at the budgets.
    fn limit_steps(&mut self) {
        let here = self.steps_at_jump.saturating_add(self.budget.zero_time_steps_max);
        self.steps_limit = self.budget.steps_max.min(here);
    }

    /// Whether nothing can ever happen any more.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.ready.is_empty()
            && self.woken.is_empty()
            && self.held.is_empty()
            && self.timers.next_deadline().is_none()
    }

    /// Ends the fault phase.
    pub(crate) fn begin_quiet(&mut self) {
        if !self.quiet {
            self.quiet = true;
            self.digests.event(3 << 62);
            self.record_by(None, Kind::Quiet);
        }
    }

    // Messages, timers.

    /// Carries out a message; what is left over is dropped by the caller when no world is borrowed.
    pub(crate) fn apply(&mut self, message: Message) -> Leftovers {
        match message {
            Message::Wake(id) => self.wake(id),
            Message::Abort(id) => self.abort(id),
            Message::Detach(id) => return self.detach(id),
            Message::CancelTimer(key) => {
                return Leftovers {
                    boxed: None,
                    waker: self.timers.cancel(key),
                };
            }
        }
        Leftovers::default()
    }

    fn detach(&mut self, id: TaskId) -> Leftovers {
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.handle) else {
            return Leftovers::default();
        };
        task.handle = false;
        let waker = task.joiner.take();
        let (live, boxed) = (task.live, if task.live { None } else { task.boxed.take() });
        if !live {
            self.tasks.release(id.slot);
            self.unobserved(id);
        }
        Leftovers { boxed, waker }
    }

    /// A panic that no join will see.
    fn unobserved(&mut self, id: TaskId) {
        let found = self.unjoined_panics.iter().position(|(task, _, _)| *task == id);
        if let Some(index) = found {
            let (_, task, message) = self.unjoined_panics.remove(index);
            self.end_with(End::Panicked { task, message });
        }
    }

    /// A panic was seen by a join.
    pub(crate) fn observed(&mut self, id: TaskId) {
        self.unjoined_panics.retain(|(task, _, _)| *task != id);
    }

    pub(crate) fn timer(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        let owner = self.running.unwrap_or(NOBODY);
        self.timers.insert(self.now, deadline, owner, waker)
    }

    // Verdicts and the record.

    /// Sets how the run ends; the first cause counts.
    pub(crate) fn end_with(&mut self, end: End) {
        if self.verdict.is_none() {
            self.verdict = Some(end);
            self.attention = true;
        }
    }

    pub(crate) fn violate(&mut self, violation: Violation) {
        let Violation { property, detail } = violation;
        self.record(Kind::Violated {
            property: property.clone(),
            detail: detail.clone(),
        });
        self.end_with(End::Violated { property, detail });
    }

    /// Folds a record and stores it, if events are kept; the present.
    pub(crate) fn note_record(&mut self, word: u64, name: u64, kind: Option<Kind>) -> u64 {
        self.digests.event(word ^ self.now.rotate_left(17));
        self.progress_at = self.now;
        if self.watches && !self.touched.contains(&name) {
            self.touched.push(name);
        }
        if let Some(kind) = kind {
            self.record(kind);
        }
        self.now
    }

    /// Stores an event of the running task, if events are kept.
    pub(crate) fn record(&mut self, kind: Kind) {
        self.record_by(self.running, kind);
    }

    fn record_by(&mut self, slot: Option<u32>, kind: Kind) {
        let (Some(events), Some(names)) = (&mut self.events, &self.names) else {
            return;
        };
        let task = slot.map(|slot| names.path(slot).clone());
        events.push(Event {
            at: self.now,
            task,
            kind,
        });
    }

    fn path(&self, slot: u32) -> Arc<str> {
        self.names
            .as_ref()
            .map_or_else(Arc::default, |names| names.path(slot).clone())
    }

    /// A task's path, or what is known of it in a run without names.
    pub(crate) fn task_label(&mut self, slot: u32) -> String {
        match &self.names {
            Some(names) => names.path(slot).to_string(),
            None => self.tasks.at(slot).name.segment().to_owned(),
        }
    }

    /// The label of a live task, by spawn serial.
    pub(crate) fn label_of_serial(&mut self, serial: u32) -> String {
        let slot = self
            .tasks
            .live()
            .find(|(_, task)| task.serial == serial)
            .map(|(slot, _)| slot);
        slot.map_or_else(
            || format!("an ended task ({serial})"),
            |slot| self.task_label(slot),
        )
    }

    /// The label of the task that ran last.
    fn last_label(&mut self) -> String {
        match self.last_polled {
            Some(slot) => self.task_label(slot),
            None => "no task".to_owned(),
        }
    }

    /// The label of the task that a waker belongs to.
    pub(crate) fn label_of(&mut self, id: WakeId) -> String {
        self.task_label(id.slot())
    }

    /// A panic that nobody joined by the end.
    pub(crate) fn unjoined_panic(&self) -> Option<End> {
        let (_, task, message) = self.unjoined_panics.first()?;
        Some(End::Panicked {
            task: task.clone(),
            message: message.clone(),
        })
    }

    /// What is alive at the end and descends from no daemon.
    pub(crate) fn leak(&mut self) -> Option<End> {
        if self.leaks == LeakPolicy::Allow {
            return None;
        }
        let mut left: Vec<(u32, u32)> = self
            .tasks
            .live()
            .filter(|(_, task)| !task.daemon)
            .map(|(slot, task)| (task.serial, slot))
            .collect();
        left.sort_unstable();
        let labels: Vec<String> = left
            .iter()
            .take(8)
            .map(|&(_, slot)| self.task_label(slot))
            .collect();
        if !left.is_empty() {
            let tasks = if left.len() == 1 { "task is" } else { "tasks are" };
            let detail = format!("{} {tasks} alive at the end: {}", left.len(), labels.join(", "));
            return Some(End::Leaked { detail });
        }
        if self.tasks.live_count() > 0 {
            return None;
        }
        let (timers, permits) = (self.timers.len(), self.objects.held());
        let detail = format!(
            "{timers} timers and {permits} locks or permits are held at the end and no task is alive"
        );
        (timers + permits > 0).then_some(End::Leaked { detail })
    }

    pub(crate) fn matched(&self) -> crate::choice::Matched {
        self.source.matched()
    }

    /// Gives the source back to whoever made it.
    pub(crate) fn take_source(&mut self) -> Box<dyn Source> {
        std::mem::replace(
            &mut self.source,
            Box::new(crate::choice::bytes::BytesSource::new(&[])),
        )
    }
}
