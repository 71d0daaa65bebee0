//! Who waits on what: after the verdict each blocked task is polled once more in a frozen world.
//!
//! Facade futures report their await site and resource themselves. For foreign futures a probe waker captures a
//! backtrace when it is cloned, and the user's line in it is reported.

use super::boxes::Boxed;
use super::current;
use super::notes::line;
use super::panics;
use super::waker::probe_waker;
use super::world::World;
use crate::trace::text::time;
use std::backtrace::Backtrace;
use std::fmt;
use std::panic::Location;
use std::task::{Context, Poll};

/// Tasks that are examined, at most.
const BLOCKED_MAX: usize = 32;
/// Places that one task is reported to wait at, at most.
const PLACES_MAX: usize = 4;

/// One thing that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The operation: `sync.lock`, `time.sleep`, or `await` for a foreign future.
    pub operation: String,
    /// The resource, in words; empty when unknown.
    pub resource: String,
    /// Source line of the await, where known.
    pub place: Option<String>,
    /// Paths of the tasks that hold the resource.
    pub holders: Vec<String>,
    /// Virtual time since which it waits, in nanoseconds, where the future knows.
    pub since: Option<u64>,
    /// What was done last that could have ended the wait, where that is known.
    pub signalled: Option<Signalled>,
    /// Paths of the tasks that have a sender of the channel.
    pub senders: Vec<String>,
    pub(crate) edge: Edge,
}

/// Something that was done to an object and could have woken who waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signalled {
    /// In tokio's words: `notify_waiters`, `send`; `release` is a lock or permit that was given back.
    pub operation: String,
    /// Path of the task that did it, if one did.
    pub by: Option<String>,
    /// Virtual time at which it was done, in nanoseconds.
    pub at: u64,
    /// Virtual time at which that task ended, in nanoseconds, if it has.
    pub ended: Option<u64>,
    /// How many tasks it made ready, where that is known.
    pub readied: Option<usize>,
    /// Whether the wait began after it.
    pub before: bool,
}

/// What a wait is in the graph of waits: the object, and the tasks by their spawn serials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) object: u64,
    pub(crate) holders: Vec<u32>,
    pub(crate) joins: Option<u32>,
}

/// A task that had not ended when the run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Its path, or the last segment of it in a run without names.
    pub task: String,
    /// Whether the run had to wait for it.
    pub required: bool,
    /// Virtual time of its last turn, in nanoseconds.
    pub since: u64,
    /// What it waits for; empty when nothing can wake it.
    pub waits: Vec<Wait>,
    pub(crate) serial: u32,
    /// Whether it serves for ever.
    pub(crate) daemon: bool,
}

/// What the re-poll of one task brought to light. While it stands, the world is frozen.
#[derive(Default)]
pub(crate) struct Frozen {
    reports: Vec<Wait>,
    clones: Vec<Wait>,
}

/// What a facade future says when it is polled in a frozen world.
pub(crate) struct Report<'a> {
    pub(crate) operation: &'static str,
    pub(crate) resource: String,
    pub(crate) place: &'a Location<'a>,
    pub(crate) object: u64,
    /// The task whose end it waits for.
    pub(crate) joins: Option<u32>,
    pub(crate) since: Option<u64>,
}

/// Whether facade futures are to report; then `report` is called with the running world.
#[inline]
pub(crate) fn report(make: impl FnOnce() -> Report<'static>) -> bool {
    let frozen = current::try_with(|world| world.frozen.is_some()).unwrap_or(false);
    if frozen {
        let report = make();
        current::with(|world| {
            let wait = wait(world, report);
            if let Some(frozen) = &mut world.frozen
                && frozen.reports.len() < PLACES_MAX
            {
                frozen.reports.push(wait);
            }
        });
    }
    frozen
}

fn wait(world: &mut World, report: Report<'_>) -> Wait {
    let Report { operation, resource, place, object, joins, since } = report;
    let holders = world.objects.holders(object);
    Wait {
        operation: operation.to_owned(),
        resource,
        place: Some(line(place)),
        holders: holders.iter().map(|serial| world.label_of_serial(*serial)).collect(),
        since,
        signalled: if holders.is_empty() { signalled(world, object) } else { None },
        senders: Vec::new(),
        edge: Edge { object, holders, joins },
    }
}

/// What was done last to an object that the running task waits for.
fn signalled(world: &World, object: u64) -> Option<Signalled> {
    let notes = world.notes.as_deref()?;
    let signal = notes.signal(object)?;
    let waiter = world.tasks.peek(world.running?).serial;
    Some(Signalled {
        operation: signal.operation.to_owned(),
        by: signal.by.map(|task| notes.path(task).to_owned()),
        at: signal.at,
        ended: signal.by.and_then(|task| notes.task(task)?.ended),
        readied: signal.readied,
        before: notes.came_before(&signal, waiter, object),
    })
}

impl fmt::Display for Signalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.as_deref().unwrap_or("no task");
        write!(f, "last {} by {by} at {}", self.operation, time(self.at))?;
        match self.ended {
            Some(ended) => write!(f, " (which ended at {})", time(ended)),
            None => Ok(()),
        }
    }
}

/// Examines the tasks of the running world that have not ended: required ones first, then in spawn order.
pub(crate) fn examine() -> Vec<Blocked> {
    let mut order: Vec<(bool, u32, u32)> = current::with(|world| {
        world.tasks.live().map(|(slot, task)| (!task.required, task.serial, slot)).collect()
    });
    order.sort_unstable();
    order.truncate(BLOCKED_MAX);
    order.into_iter().map(|(_, _, slot)| examine_task(slot)).collect()
}

fn examine_task(slot: u32) -> Blocked {
    let boxed = current::with(|world| {
        world.freeze();
        world.running = Some(slot);
        world.tasks.at(slot).boxed.take()
    });
    let ended = boxed.and_then(|boxed| probe(slot, boxed));
    current::with(|world| {
        let frozen = world.frozen.take().unwrap_or_default();
        world.running = None;
        let mut waits = frozen.reports;
        waits.extend(frozen.clones);
        waits.extend(ended);
        let task = world.task_label(slot);
        let slot = world.tasks.at(slot);
        let (required, since) = (slot.required, slot.polled_at);
        Blocked { task, required, since, waits, serial: slot.serial, daemon: slot.daemon }
    })
}

/// Polls once with a waker that remembers where it was cloned.
fn probe(slot: u32, mut boxed: Boxed) -> Option<Wait> {
    let waker = probe_waker();
    let mut context = Context::from_waker(&waker);
    match panics::catch(|| boxed.as_mut().poll(&mut context)) {
        Ok(Poll::Pending) => {
            current::with(|world| world.tasks.at(slot).boxed = Some(boxed));
            None
        }
        Ok(Poll::Ready(())) | Err(_) => {
            let _ = panics::catch(|| drop(boxed));
            Some(Wait::foreign("nothing any more: it could go on if it were polled".to_owned(), None))
        }
    }
}

/// The probe waker was cloned: remembers where.
#[cold]
pub(crate) fn note_clone() {
    let place = user_place(&Backtrace::force_capture());
    current::try_with(|world| {
        if let Some(frozen) = &mut world.frozen
            && frozen.clones.len() < PLACES_MAX
        {
            frozen.clones.push(Wait::foreign(String::new(), place));
        }
    });
}

impl Wait {
    fn foreign(resource: String, place: Option<String>) -> Wait {
        Wait {
            operation: "await".to_owned(),
            resource,
            place,
            holders: Vec::new(),
            since: None,
            signalled: None,
            senders: Vec::new(),
            edge: Edge::default(),
        }
    }
}

/// The first frame of a backtrace that is the user's: not ours, the standard library's or a registry's.
fn user_place(backtrace: &Backtrace) -> Option<String> {
    let text = backtrace.to_string();
    let places = text.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let users =
        places.map(|place| place.strip_prefix("./").unwrap_or(place)).find(|place| is_users(place))?;
    Some(users.rsplit_once(':').map_or(users, |(line, _column)| line).to_owned())
}

/// Line tables name files and no crates, so ours are known by where this file lies.
fn is_users(place: &str) -> bool {
    const INTERNAL: [&str; 7] = ["runtime/", "task/", "sync/", "time/", "sim/", "fault.rs", "property.rs"];
    let root = file!().strip_suffix("runtime/wait.rs").unwrap_or("src/");
    let ours =
        place.strip_prefix(root).is_some_and(|file| INTERNAL.iter().any(|part| file.starts_with(part)));
    let library = ["/rustc/", "/library/", "/registry/"].iter().any(|part| place.contains(part));
    !ours && !library
}
