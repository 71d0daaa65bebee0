//! What the detectors say of a run that did not pass: cycles of waits, lost wake-ups, loops that get nowhere, and what
//! outlives who took it. Each is a fact of the run, in a sentence; none of them decides how the run ended.
//!
//! Circles are found in every run that says who waits on what, the others only where events are kept too.
//!
//! The holder of a lock or permit is the task that took it, also where it handed the guard on.

use super::end::End;
use super::notes::{Notes, Share, Taken, TimerNote, Window, line};
use super::wait::{Blocked, Signalled, Wait};
use super::world::World;
use crate::trace::text::{number, time};
use std::collections::BTreeSet;
use std::fmt;

/// Findings of one detector, at most.
const FINDINGS_MAX: usize = 8;
/// Tasks of a loop that are named, at most.
const TASKS_MAX: usize = 4;
/// Operations of a task of a loop that are named, at most.
const OPERATIONS_MAX: usize = 2;

/// Operations that wait for what another task holds, and for nothing else.
const LOCKS: [&str; 5] = ["sync.lock", "sync.read", "sync.write", "sync.acquire", "sync.init"];
/// Operations that wait until somebody does something.
const SIGNALLED: [&str; 6] =
    ["sync.notified", "sync.recv", "sync.changed", "sync.wait_for", "sync.acquire", "sync.cancelled"];

/// Operations that a sender ends.
const RECEIVES: [&str; 3] = ["sync.recv", "sync.changed", "sync.wait_for"];

/// Which detector speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detector {
    /// Tasks wait for each other in a circle.
    Cycle,
    /// A task waits for what nobody does any more, or did too early.
    LostWakeUp,
    /// Tasks took turns without end while time stood still.
    Livelock,
    /// Time went on, and the work did not.
    NoProgress,
    /// A lock, a permit or a timer outlives the task that took it.
    Leak,
}

impl Detector {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Detector::Cycle => "cycle",
            Detector::LostWakeUp => "lost wake-up",
            Detector::Livelock => "livelock",
            Detector::NoProgress => "no progress",
            Detector::Leak => "leak",
        }
    }
}

/// What a detector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Who says it.
    pub detector: Detector,
    /// The paths of the tasks that it is about.
    pub tasks: Vec<String>,
    /// What it says, in a sentence.
    pub text: String,
    /// The object of a wait that senders could end.
    object: Option<u64>,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.detector.name(), self.text)
    }
}

/// Adds who has senders of what the tasks wait for: known when the run is over and its tasks were dropped, each of which
/// drops its own.
pub(crate) fn add_senders(notes: &Notes, blocked: &mut [Blocked], diagnosis: &mut [Diagnosis]) {
    for wait in blocked.iter_mut().flat_map(|blocked| &mut blocked.waits) {
        if RECEIVES.contains(&&*wait.operation) {
            wait.senders = notes.keepers(wait.edge.object);
        }
    }
    for said in diagnosis {
        let senders = said.object.map_or(Vec::new(), |object| notes.keepers(object));
        if !senders.is_empty() {
            said.text.push_str(&format!("; a sender is still with {}", senders.join(" and ")));
        }
    }
}

/// All that can be said of the running world, whose run has ended.
pub(crate) fn diagnose(world: &mut World, end: &End, blocked: &[Blocked]) -> Vec<Diagnosis> {
    let is_idle = world.is_idle();
    let world = &*world;
    let mut said = cycles(blocked);
    let Some(notes) = world.notes.as_deref() else { return said };
    match end {
        End::Deadlock { .. } => {
            said.extend(lost(blocked, said.is_empty()));
            said.extend(leaks(world, notes, &objects_of(blocked)));
            said.extend((!is_idle).then(|| no_progress(notes, world.now)));
        }
        End::Leaked { .. } => {
            said.extend(lost(blocked, said.is_empty()));
            said.extend(leaks(world, notes, &[]));
            said.extend(timers(world, notes));
        }
        End::ZeroTimeLoop { .. } => said.push(livelock(notes)),
        End::Passed
        | End::Violated { .. }
        | End::Panicked { .. }
        | End::Failed { .. }
        | End::NotConverged { .. }
        | End::Escaped { .. }
        | End::Diverged { .. }
        | End::OutOfBudget { .. } => {}
    }
    said
}

// Who waits for whom.

/// The tasks that must act before this wait can be over; none where others could end it too.
fn targets(wait: &Wait) -> Option<Vec<u32>> {
    match wait.edge.joins {
        Some(task) => Some(vec![task]),
        None if LOCKS.contains(&&*wait.operation) && !wait.edge.holders.is_empty() => {
            Some(wait.edge.holders.clone())
        }
        None => None,
    }
}

/// The tasks that can never go on: all that each waits for is up to others of them. A task of several waits, as in a
/// `select!`, goes on when one is over, and one lock or permit given back may be enough.
fn stuck(blocked: &[Blocked]) -> BTreeSet<u32> {
    let waits = |blocked: &Blocked| blocked.waits.iter().map(targets).collect::<Option<Vec<_>>>();
    let mut all: Vec<(u32, Vec<u32>)> = blocked
        .iter()
        .filter(|blocked| !blocked.waits.is_empty())
        .filter_map(|blocked| Some((blocked.serial, waits(blocked)?.concat())))
        .collect();
    loop {
        let stuck: BTreeSet<u32> = all.iter().map(|(task, _)| *task).collect();
        all.retain(|(_, targets)| targets.iter().all(|target| stuck.contains(target)));
        if all.len() == stuck.len() {
            return stuck;
        }
    }
}

/// The circles among the tasks that can never go on; each task is in one at most.
fn cycles(blocked: &[Blocked]) -> Vec<Diagnosis> {
    let find = |serial: u32| blocked.iter().find(|blocked| blocked.serial == serial);
    let next = |blocked: &Blocked| blocked.waits.first().and_then(targets)?.first().copied();
    let mut cycles = Vec::new();
    let mut seen = BTreeSet::new();
    for start in stuck(blocked) {
        let mut walk: Vec<u32> = Vec::new();
        let mut at = Some(start);
        while let Some(task) = at.filter(|task| seen.insert(*task)) {
            walk.push(task);
            at = find(task).and_then(next);
        }
        // What the walk ended at is a circle if it is of this walk.
        let begin = at.and_then(|task| walk.iter().position(|walked| *walked == task));
        let Some(mut circle) = begin.map(|begin| walk.split_off(begin)) else { continue };
        let least = circle.iter().enumerate().min_by_key(|(_, task)| **task).map_or(0, |(index, _)| index);
        circle.rotate_left(least);
        let circle: Vec<&Blocked> = circle.into_iter().filter_map(find).collect();
        cycles.push(Diagnosis {
            detector: Detector::Cycle,
            tasks: circle.iter().map(|blocked| blocked.task.clone()).collect(),
            text: circle.iter().map(|blocked| waiting(blocked)).collect::<Vec<_>>().join("; "),
            object: None,
        });
    }
    cycles.truncate(FINDINGS_MAX);
    cycles
}

/// One task of a circle: what it waits for, and who holds it.
fn waiting(blocked: &Blocked) -> String {
    let Some(wait) = blocked.waits.first() else { return blocked.task.clone() };
    let held = match wait.holders.as_slice() {
        [] => String::new(),
        [alone] if *alone == blocked.task => ", held by itself".to_owned(),
        [alone] => format!(", held by {alone}"),
        all => format!(", held by {}, who all wait", all.join(" and ")),
    };
    format!("{}{held}", waits_for(blocked, wait))
}

fn waits_for(blocked: &Blocked, wait: &Wait) -> String {
    let place = wait.place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
    let since = time(wait.since.unwrap_or(blocked.since));
    format!("{} waits for {} ({}{place}, since {since})", blocked.task, wait.resource, wait.operation)
}

// Who is woken by nobody.

/// What each task waits for that nobody alive has ever signalled, or that was signalled too early. `alone` where no
/// circle explains why nobody did.
fn lost(blocked: &[Blocked], alone: bool) -> Vec<Diagnosis> {
    let mut lost = Vec::new();
    // A daemon may wait for ever.
    for blocked in blocked.iter().filter(|blocked| !blocked.daemon) {
        let wakes_itself = blocked.waits.iter().any(|wait| wait.operation == "time.sleep");
        for wait in blocked.waits.iter().filter(|_| !wakes_itself) {
            let is_signalled = SIGNALLED.contains(&&*wait.operation) && wait.holders.is_empty();
            if let Some(why) = is_signalled.then(|| why(blocked, wait, alone)).flatten() {
                let tasks = vec![blocked.task.clone()];
                let text = format!("{}: {why}", waits_for(blocked, wait));
                let object = RECEIVES.contains(&&*wait.operation).then_some(wait.edge.object);
                lost.push(Diagnosis { detector: Detector::LostWakeUp, tasks, text, object });
            }
        }
    }
    lost.truncate(FINDINGS_MAX);
    lost
}

fn why(blocked: &Blocked, wait: &Wait, alone: bool) -> Option<String> {
    let Some(Signalled { operation, by, at, ended, readied, before }) = &wait.signalled else {
        return alone.then(|| "woken by nobody: no task has done anything that wakes it".to_owned());
    };
    let by = by.as_deref().unwrap_or("no task");
    if *before && *readied == Some(0) && operation == "notify_waiters" {
        let since = time(wait.since.unwrap_or(blocked.since));
        return Some(format!(
            "{operation} by {by} at {} woke nobody, and {} began to wait at {since}, after it",
            time(*at),
            blocked.task
        ));
    }
    let ended = time((*ended)?);
    Some(format!(
        "woken by nobody: {by}, the last that could have ({operation} at {}), is gone since {ended}",
        time(*at)
    ))
}

// What is left over.

/// The objects that the tasks wait for.
fn objects_of(blocked: &[Blocked]) -> Vec<u64> {
    blocked.iter().flat_map(|blocked| &blocked.waits).map(|wait| wait.edge.object).collect()
}

/// What tasks took and kept beyond their ends; only of these objects, unless there are none.
fn leaks(world: &World, notes: &Notes, objects: &[u64]) -> Vec<Diagnosis> {
    let held = world
        .objects
        .all()
        .filter(|(object, _, daemon)| if objects.is_empty() { !daemon } else { objects.contains(object) });
    let leaks = held.filter_map(|(object, task, _)| {
        let ended = notes.task(task)?.ended?;
        let taken = notes.taken(object, task).last()?;
        let (what, path) = (notes.words(object)?, notes.path(task));
        let text = format!(
            "{what}, taken by {path}{}, was never given back, and {path} ended at {}",
            taken_at(taken),
            time(ended)
        );
        Some(Diagnosis { detector: Detector::Leak, tasks: vec![path.to_owned()], text, object: None })
    });
    leaks.take(FINDINGS_MAX).collect()
}

fn taken_at(taken: &Taken) -> String {
    let place = taken.by.and_then(|by| Some((by.operation, by.place?)));
    let how = place.map_or(String::new(), |(operation, place)| format!(" ({operation} at {})", line(place)));
    format!("{how} at {}", time(taken.at))
}

/// Timers that outlive the tasks that set them.
fn timers(world: &World, notes: &Notes) -> Vec<Diagnosis> {
    let waiting = notes.timers().iter().filter(|timer| world.timers.is_waiting(timer.key));
    let timers = waiting.filter_map(|TimerNote { task, place, .. }| {
        let (path, ended) = (notes.path(*task), notes.task(*task)?.ended?);
        let text = format!(
            "a timer of {path} (time.sleep at {}) still waits, and {path} ended at {}",
            line(place),
            time(ended)
        );
        Some(Diagnosis { detector: Detector::Leak, tasks: vec![path.to_owned()], text, object: None })
    });
    timers.take(FINDINGS_MAX).collect()
}

// Who goes round in circles.

fn livelock(notes: &Notes) -> Diagnosis {
    let Window { since, turns, .. } = &notes.still;
    let head = format!("time has stood still at {} for {} turns", time(*since), number(*turns));
    looping(Detector::Livelock, head, notes, &notes.still)
}

fn no_progress(notes: &Notes, now: u64) -> Diagnosis {
    let Window { since, turns, .. } = &notes.idle;
    let passed = time(now.saturating_sub(*since));
    let head = format!("since {}, in {passed} and {} turns, nothing happened", time(*since), number(*turns));
    looping(Detector::NoProgress, head, notes, &notes.idle)
}

fn looping(detector: Detector, head: String, notes: &Notes, window: &Window) -> Diagnosis {
    let mut shares: Vec<(&u32, &Share)> = window.shares.iter().collect();
    shares.sort_by_key(|(task, share)| (std::cmp::Reverse(share.turns), **task));
    let more = shares.len().saturating_sub(TASKS_MAX);
    shares.truncate(TASKS_MAX);
    let mut told: Vec<String> = shares.iter().map(|(task, share)| share_of(notes, **task, share)).collect();
    if more > 0 {
        told.push(format!("and {more} more tasks the rest"));
    }
    let text = if told.is_empty() { head } else { format!("{head}: {}", told.join(", ")) };
    Diagnosis {
        detector,
        tasks: shares.iter().map(|(task, _)| notes.path(**task).to_owned()).collect(),
        text,
        object: None,
    }
}

fn share_of(notes: &Notes, task: u32, share: &Share) -> String {
    let mut asked: Vec<_> = share.asked.iter().collect();
    asked.sort_by_key(|(key, (count, _))| (std::cmp::Reverse(*count), **key));
    let told = asked.iter().take(OPERATIONS_MAX).map(|((operation, object), (count, place))| {
        let on = notes.words(*object).map_or(String::new(), |words| format!(" on {words}"));
        let place = place.map_or(String::new(), |place| format!(" at {}", line(place)));
        format!("{} of {operation}{place}{on}", number(*count))
    });
    let told: Vec<String> = told.collect();
    let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
    format!("{} took {}{told}", notes.path(task), number(share.turns))
}
