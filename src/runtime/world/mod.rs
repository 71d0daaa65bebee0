//! The world: all state of one simulation, and its moves. Every function here runs with the world borrowed, so none
//! calls user code; what holds user values is returned.
//!
//! The state stands here; the moves stand in rooms: asking, tasks, turns, clock, verdict.

mod asking;
mod clock;
mod coverage;
mod hosts;
mod joins;
mod noting;
mod tasks;
mod turns;
mod verdict;

use super::boxes::Boxed;
use super::current;
use super::end::{Budget, End, LeakPolicy, PanicPolicy};
use super::hosts::{HostChange, Machine};
use super::leftovers::Cancels;
use super::notes::Notes;
use super::objects::Objects;
use super::panics;
use super::parts::Parts;
use super::spare::Spare;
use super::stats::{Counts, States};
use super::tasks::{TaskId, Tasks};
use super::timers::{Due, Timers};
use super::wait::Frozen;
use super::waker::WakeId;
use crate::choice::fault::{FaultPlan, SITE_CLOCK, SITE_CRASH, SITE_LATE, SITE_PAUSE, SITE_STALL};
use crate::choice::tape::Tape;
use crate::choice::{Covering, Label, Names, Ready, Source};
use crate::trace::{Digests, Event};
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::sync::{Arc, Mutex};

const STALL: Label = Label::new(SITE_STALL);
const LATE: Label = Label::new(SITE_LATE);
/// The options: a task or timer may be held until just after one of the next four deadlines.
const HOLD: u8 = 0b0001_1111;

/// What a run keeps beside its digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing: a sweep.
    #[default]
    Digests,
    /// Names and the tape.
    Tape,
    /// Names, the tape, every event, and what the detectors of [`crate::runtime::Diagnosis`] want to know.
    Trace,
}

pub(crate) use hosts::HostStep;

/// What a world is made of.
pub(crate) struct Config {
    pub(crate) source: Box<dyn Source>,
    pub(crate) plan: FaultPlan,
    pub(crate) budget: Budget,
    pub(crate) panics: PanicPolicy,
    pub(crate) leaks: LeakPolicy,
    pub(crate) keep: Keep,
    pub(crate) checkpoints: bool,
    pub(crate) cancels: Cancels,
}

/// What an observer does with a record at a virtual time; an error breaks its property.
pub(crate) type Observe = Box<dyn FnMut(&dyn Any, u64) -> Result<(), String>>;

/// Something that waits for emitted records: a property's fold.
pub(crate) struct Observer {
    pub(crate) property: &'static str,
    pub(crate) observe: Observe,
}

impl Observer {
    /// What the record breaks; a fold that panics is broken.
    pub(crate) fn judge(&mut self, record: &dyn Any, now: u64) -> Option<Violation> {
        let judged = panics::catch(|| (self.observe)(record, now));
        let detail = judged.unwrap_or_else(|payload| Err(panics::said(&*payload))).err()?;
        Some(Violation { property: self.property.to_owned(), detail })
    }
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
    pub(crate) running: Option<u32>,
    /// The slot that had the last turn, if `steps` says that there was one.
    last_polled: u32,
    pub(crate) timers: Timers,
    held: Vec<(u8, Held)>,
    source: Box<dyn Source>,
    listens: bool,
    /// Whether the source wants to hear what the run gets to.
    pub(crate) follows_coverage: bool,
    /// Whether someone has a say in what becomes ready, or wants to hear of it.
    follows_ready: bool,
    /// Whether nobody does, tasks have no names, and the world never was deaf nor without one of its hosts: then less is to
    /// be asked. Once it is not, it stays so: see [`World::not_plain`].
    plain: bool,
    pub(crate) digests: Digests,
    pub(crate) names: Option<Box<Names>>,
    /// What a report may want to say, in a run that keeps its events.
    pub(crate) notes: Option<Box<Notes>>,
    pub(crate) tape: Tape,
    pub(crate) events: Option<Vec<Event>>,
    pub(crate) plan: FaultPlan,
    covering: Covering,
    holds_tasks: bool,
    holds_timers: bool,
    pub(crate) quiet: bool,
    pub(crate) closing: bool,
    pub(crate) frozen: Option<Frozen>,
    /// Which tasks may be cancelled at their awaits.
    pub(crate) cancels: Cancels,
    pub(crate) budget: Budget,
    pub(crate) panics: PanicPolicy,
    pub(crate) leaks: LeakPolicy,
    pub(crate) counts: Counts,
    pub(crate) coverage: BTreeMap<&'static str, u64>,
    pub(crate) states: States,
    pub(crate) observers: Vec<Observer>,
    /// Whether a predicate wants to know what was written.
    pub(crate) watches: bool,
    pub(crate) touched: Vec<u64>,
    pub(crate) hosts: Vec<Machine>,
    /// What is to be done for hosts before the next turn.
    host_moves: VecDeque<HostMove>,
    /// What befell hosts and nobody was told yet.
    pub(crate) host_news: Vec<(Arc<str>, HostChange)>,
    /// Whether the plan harms hosts when timers are due.
    harms_hosts: bool,
    /// Whether the plan holds timers back or harms hosts, or the source listens: then there is more to do when time moves.
    heeds_time: bool,
    /// Hosts that are down or stand still.
    hosts_out: u32,
    /// Whether the clock of any host has ever run at a rate of its own.
    drifts: bool,
    /// Whether the running task is one of a host that crashed: it has no access to the world any more.
    is_cut: bool,
    pub(crate) required_left: u32,
    pub(crate) progress_at: u64,
    pub(crate) unjoined_panics: Vec<(TaskId, String, String)>,
    pub(crate) verdict: Option<End>,
    pub(crate) objects: Objects,
    /// What modules of a higher rank keep here.
    pub(crate) parts: Parts,
    /// Few worlds have any.
    foreign: Option<Box<joins::Foreign>>,
    /// Where the operation stands that asks next, if it says.
    pub(crate) asking_at: Option<&'static Location<'static>>,
    /// Where to say who runs, for a watchdog on another thread.
    pub(crate) watch: Option<Arc<Mutex<String>>>,
}

/// What is to be done for a host before the next turn.
#[derive(Clone, Copy)]
enum HostMove {
    /// Drop its tasks.
    Fall(u16),
    /// Run its mains.
    Start(u16),
}

/// What the step loop does next: three words that stay in registers.
pub(crate) struct Next {
    pub(crate) what: What,
    /// The box of the task that it is about, or what one left that ended and nobody will take.
    pub(crate) boxed: Option<Boxed>,
    pub(crate) id: WakeId,
}

impl Next {
    /// Something that is about no task.
    pub(super) fn only(what: What) -> Next {
        Next { what, boxed: None, id: WakeId::new(0, 0, 0) }
    }
}

/// What there is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Poll this task.
    Poll,
    /// Drop this task, which was aborted.
    Cancel,
    /// A task ended: drop what nobody will take, and wake those whose wakers are not ours.
    Ended,
    /// Time moved.
    Time,
    /// Time moved; wake those whose wakers are not ours.
    Foreign,
    /// Nothing is ready, and no deadline is at or before the limit.
    Idle,
    /// A verdict stands, the workload is over, or a budget is spent: the driver decides.
    Attention,
}

impl World {
    pub(crate) fn new(config: Config) -> Box<World> {
        let names = (config.keep >= Keep::Tape || config.source.needs_names()).then(Box::default);
        let listens = config.source.listens();
        let follows_ready = listens || config.plan.speaks_of(SITE_STALL);
        let holds_timers = config.plan.speaks_of(SITE_LATE);
        let harms_hosts = [SITE_CRASH, SITE_PAUSE, SITE_CLOCK].iter().any(|site| config.plan.speaks_of(site));
        let (epoch, spare) = current::open_epoch();
        // The box is first, so that the world is built in it: a copy of what was just written keeps the processor waiting.
        let boxed = Box::new_uninit();
        let world = World {
            epoch,
            parent: None,
            now: 0,
            steps: 0,
            steps_at_jump: 0,
            steps_limit: config.budget.steps_max.min(config.budget.zero_time_steps_max),
            attention: false,
            tasks: Tasks::in_memory(epoch, spare.slots),
            ready: Ready::in_memory(spare.ready),
            running: None,
            last_polled: 0,
            timers: Timers::new(),
            held: Vec::new(),
            listens,
            follows_coverage: config.source.follows_coverage(),
            follows_ready,
            plain: !follows_ready && names.is_none(),
            source: config.source,
            digests: Digests::new(config.checkpoints),
            notes: (config.keep == Keep::Trace || config.cancels != Cancels::Nothing).then(Box::default),
            names,
            tape: Tape::default(),
            covering: Covering::default(),
            events: (config.keep == Keep::Trace).then(Vec::new),
            holds_tasks: config.plan.speaks_of(SITE_STALL),
            holds_timers,
            quiet: false,
            closing: false,
            frozen: None,
            cancels: config.cancels,
            budget: config.budget,
            panics: config.panics,
            leaks: config.leaks,
            counts: Counts::default(),
            coverage: BTreeMap::new(),
            states: States::default(),
            observers: Vec::new(),
            watches: false,
            touched: Vec::new(),
            hosts: spare.hosts,
            host_moves: VecDeque::new(),
            host_news: Vec::new(),
            harms_hosts,
            heeds_time: listens || holds_timers || harms_hosts,
            hosts_out: 0,
            drifts: false,
            is_cut: false,
            required_left: 0,
            progress_at: 0,
            unjoined_panics: Vec::new(),
            verdict: None,
            objects: Objects::default(),
            parts: Parts::default(),
            foreign: None,
            asking_at: None,
            watch: None,
            plan: config.plan,
        };
        Box::write(boxed, world)
    }

    /// Nothing is left out any more. Whatever makes the world deaf or takes a host away says so.
    fn not_plain(&mut self) {
        self.plain = false;
    }

    /// From here on tasks only end.
    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.not_plain();
    }

    /// From here to the taking of [`World::frozen`], tasks that are polled change nothing and report what they wait for.
    pub(crate) fn freeze(&mut self) {
        self.frozen = Some(Frozen::default());
        self.not_plain();
    }

    /// Ends the world, whose tasks have ended, and leaves its memory to the next of this thread.
    pub(crate) fn retire(self: Box<World>) {
        // First of all: what is dropped next may be a user's, and panic.
        current::close_epoch(self.epoch);
        let spare = Spare::of(self.tasks.into_memory(), self.ready.into_memory(), self.hosts);
        current::keep_spare(spare);
    }
}
