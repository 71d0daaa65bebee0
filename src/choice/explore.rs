//! Exhaustive search without a bound: every run of a small model, each once, depth first.
//!
//! Where a task reaches a scheduling point, the question is who runs next: the task itself, or one of those that are
//! ready. So a schedule is met once, however the runtime splits it into a yield and a pick. An operation that cannot
//! wait asks nothing here, since the point that it owes its yield to asks anyway.
//!
//! # Fewer runs, where the user states that all accesses are declared
//!
//! The reduction is by sleep sets (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996).
//! A *segment* is what a task does from one scheduling point to the next, and its footprint the accesses that it
//! declared: the one at the point where it begins, and those of operations that cannot wait on its way. Two segments
//! that share no object, or only read it, commute: which is first changes neither what they do nor what can follow. So
//! a segment that was tried at a place need not be tried again after others that commute with it. That is sound if the
//! tasks share nothing but what they declare, which no library can see: hence the statement.

use super::{Access, Ask, Names, Notice, Ready, Source, enumerate::Step};
use serde::{Deserialize, Serialize};
use std::any::Any;

/// An access that a segment declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Touch {
    object: u64,
    writes: bool,
}

impl Touch {
    fn clashes(self, other: Touch) -> bool {
        self.object == other.object && (self.writes || other.writes)
    }
}

/// A place where the run could go on in several ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Frame {
    /// The ways: options of a site, or the serials of tasks.
    options: Vec<u64>,
    /// Which of them the run takes.
    at: usize,
    /// What the segments of the tasks touched, of those that were tried.
    touched: Vec<Vec<Touch>>,
}

/// A task whose next segment was tried before, and what it touched then.
#[derive(Clone, Debug)]
struct Asleep {
    task: u32,
    touched: Vec<Touch>,
}

/// The run under way.
#[derive(Clone, Debug, Default)]
struct Under {
    /// Frames met.
    depth: usize,
    /// Choices asked.
    position: u64,
    /// The answers that were not 0, as `StepsSource` takes them.
    steps: Vec<Step>,
    asleep: Vec<Asleep>,
    /// What each task is about to touch, by spawn serial.
    pending: Vec<Option<Touch>>,
    /// The last access that was declared, and not yet known to be of a point or of an operation on the way.
    heard: Option<Touch>,
    running: Option<u32>,
    /// Who let others run, and becomes ready again by that.
    yielding: Option<u32>,
    /// The frame at which the segment under way was chosen.
    chosen_at: Option<usize>,
    touched: Vec<Touch>,
    /// Who is to be picked, since the running task let it run.
    next: Option<u32>,
    /// No more schedules: the oldest first.
    is_quiet: bool,
    /// Only repeats what other runs did.
    is_redundant: bool,
}

/// Lists all runs, depth first, and answers each.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Explorer {
    assumes_declared: bool,
    frames: Vec<Frame>,
    is_done: bool,
    #[serde(skip)]
    under: Under,
}

/// A run that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// Its answers that were not 0.
    pub steps: Vec<Step>,
    /// Whether it only repeats what other runs did, up to the order of segments that commute.
    pub is_redundant: bool,
}

impl Explorer {
    /// Every run; with `assumes_declared`, one of each class of runs that differ in the order of segments that commute.
    pub fn new(assumes_declared: bool) -> Explorer {
        Explorer { assumes_declared, ..Explorer::default() }
    }

    /// Whether all runs were made.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Notes the end of the run that this source answered, and turns to the next.
    pub fn ran(&mut self) -> Explored {
        self.end_segment();
        let under = std::mem::take(&mut self.under);
        self.frames.truncate(under.depth);
        while let Some(frame) = self.frames.last_mut() {
            frame.at += 1;
            if frame.at < frame.options.len() {
                break;
            }
            self.frames.pop();
        }
        self.is_done = self.frames.is_empty();
        Explored { steps: under.steps, is_redundant: under.is_redundant }
    }

    fn note(&mut self, option: u64) -> u64 {
        if option != 0 {
            self.under.steps.push(Step { position: self.under.position, option });
        }
        self.under.position += 1;
        option
    }

    /// The way on at a place where there are several.
    fn way(&mut self, options: Vec<u64>) -> u64 {
        let depth = self.under.depth;
        self.under.depth += 1;
        if depth == self.frames.len() {
            self.frames.push(Frame { options, at: 0, touched: Vec::new() });
        }
        let frame = &self.frames[depth];
        // A program that differs from run to run may offer fewer; the determinism check tells of it.
        frame.options[frame.at.min(frame.options.len() - 1)]
    }

    /// Who runs the next segment.
    fn decide(&mut self, candidates: &[u32]) -> u32 {
        self.end_segment();
        let is_able = |asleep: &Asleep| candidates.contains(&asleep.task);
        if !self.under.asleep.iter().all(is_able) {
            // One of them ran, or ended, where nobody was asked.
            self.under.asleep.clear();
        }
        let awake = |task: &&u32| self.under.asleep.iter().all(|asleep| asleep.task != **task);
        let options: Vec<u64> = candidates.iter().filter(awake).map(|task| u64::from(*task)).collect();
        let chosen = match options.as_slice() {
            _ if self.under.is_redundant => candidates[0],
            [] => {
                self.under.is_redundant = true;
                candidates[0]
            }
            [only] => *only as u32,
            _ => self.choose_task(options),
        };
        self.begin_segment(chosen);
        chosen
    }

    fn choose_task(&mut self, options: Vec<u64>) -> u32 {
        let depth = self.under.depth;
        let chosen = self.way(options) as u32;
        let frame = &self.frames[depth];
        if self.assumes_declared {
            for (task, touched) in frame.options[..frame.at].iter().zip(&frame.touched) {
                self.under.asleep.push(Asleep { task: *task as u32, touched: touched.clone() });
            }
            self.under.chosen_at = Some(depth);
        }
        chosen
    }

    fn begin_segment(&mut self, task: u32) {
        self.under.running = Some(task);
        let pending = self.under.pending.get(task as usize).copied().flatten();
        pending.into_iter().for_each(|touch| self.touch(touch));
    }

    /// What was tried and does not commute with this access has to be tried again.
    fn touch(&mut self, touch: Touch) {
        self.under.touched.push(touch);
        self.under.asleep.retain(|asleep| !asleep.touched.iter().any(|own| own.clashes(touch)));
    }

    fn end_segment(&mut self) {
        if let Some(touch) = self.under.heard.take() {
            self.touch(touch);
        }
        let touched = std::mem::take(&mut self.under.touched);
        if let Some(frame) = self.under.chosen_at.take().and_then(|at| self.frames.get_mut(at)) {
            frame.touched.truncate(frame.at);
            frame.touched.push(touched);
        }
    }

    /// A task that sleeps did something without having been asked for: nothing is known any more.
    fn stirred(&mut self, task: u32) {
        if self.under.running != Some(task) && self.under.asleep.iter().any(|asleep| asleep.task == task) {
            self.under.asleep.clear();
        }
    }
}

impl Source for Explorer {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let options = ask.landmarks();
        let option = match options.as_slice() {
            [] | [_] => 0,
            _ if self.under.is_redundant => 0,
            _ => self.way(options),
        };
        self.note(option)
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        let by_age = by_age(ready, None);
        let told = self.under.next.take().filter(|next| by_age.contains(next));
        let task = told.unwrap_or_else(|| self.decide(&by_age));
        let rank = by_age.iter().position(|ready| *ready == task).unwrap_or(0);
        self.note(rank as u64);
        if rank == 0 { ready.oldest() } else { ready.nth_oldest(rank) }
    }

    fn yields(&mut self, _ask: &Ask<'_>, task: u32, ready: &Ready) -> u64 {
        let index = task as usize;
        if self.under.pending.len() <= index {
            self.under.pending.resize(index + 1, None);
        }
        self.under.pending[index] = self.under.heard.take();
        if self.under.is_quiet {
            return self.note(0);
        }
        let mut candidates = vec![task];
        candidates.extend(by_age(ready, Some(task)));
        let next = self.decide(&candidates);
        self.under.next = (next != task).then_some(next);
        self.under.yielding = (next != task).then_some(task);
        self.note(u64::from(next != task))
    }

    fn owes(&mut self, _ask: &Ask<'_>, _task: u32, _ready: &Ready) -> u64 {
        if let Some(touch) = self.under.heard.take() {
            self.touch(touch);
        }
        self.note(0)
    }

    fn listens(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Access { task, object, access } => {
                self.stirred(task);
                if let Some(touch) =
                    self.under.heard.replace(Touch { object, writes: access == Access::Write })
                {
                    // Nobody asked after the access before this one.
                    self.touch(touch);
                }
            }
            Notice::Ready { task } if self.under.yielding == Some(task) => self.under.yielding = None,
            Notice::Ready { task } | Notice::Done { task } => self.stirred(task),
            Notice::Alone { task } => {
                self.decide(&[task]);
            }
            Notice::Spawned { .. } => {}
            Notice::Idle => self.under.asleep.clear(),
            Notice::Quiet => self.under.is_quiet = true,
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The serials of the ready tasks, the oldest first.
fn by_age(ready: &Ready, without: Option<u32>) -> Vec<u32> {
    let mut entries: Vec<_> = ready.entries().iter().filter(|entry| Some(entry.serial) != without).collect();
    entries.sort_unstable_by_key(|entry| entry.seq);
    entries.into_iter().map(|entry| entry.serial).collect()
}
