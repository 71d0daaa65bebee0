//! SURW: schedules drawn so that each interleaving of the interesting events is as likely as any other.
//!
//! Zhao et al., "Selectively Uniform Concurrency Testing" (ASPLOS 2025). A task is drawn with the weight of the interesting
//! events that it, and the tasks it has yet to spawn, still have; it is *intended* to do the next one, and all else runs
//! by a uniform walk around it. How many events a task has comes from the calibration. In half of the seeds every event
//! is interesting (URW), in the others the accesses to one shared object, drawn by the seed.

use super::profile::Profile;
use super::{Strategy, Stream};
use crate::choice::{Access, Ready};
use std::sync::Arc;

/// The column of a profile's rows that holds all events of a task.
const ALL: usize = 1;

/// What is known of a task.
#[derive(Clone, Copy, Debug, Default)]
struct Task {
    /// Its row in the profile.
    row: Option<usize>,
    /// From which row on that of its next child is looked for.
    next: usize,
    /// Whether what it does next is interesting, as far as it said.
    interesting: bool,
}

/// The strategy.
#[derive(Debug)]
pub struct Surw {
    stream: Stream,
    profile: Arc<Profile>,
    /// The object whose accesses are interesting; none is all events.
    object: Option<u64>,
    /// Interesting events of each row of the profile and of its descendants.
    weights: Vec<u64>,
    /// By spawn serial.
    tasks: Vec<Task>,
    /// By spawn serial: interesting events that are left for the task and for what it has yet to spawn.
    left: Vec<u64>,
    /// As a task's, for what no task spawned.
    next_root: usize,
    intended: Option<u32>,
    drawn: Option<u32>,
    /// Those that can go on, and those of them that are free to: kept for their memory.
    able: Vec<u32>,
    free: Vec<u32>,
}

impl Surw {
    /// Draws along `stream`, with the events of `profile`.
    pub fn new(mut stream: Stream, profile: Arc<Profile>) -> Surw {
        let objects = profile.objects.len() as u64;
        let column = match stream.below(2) {
            0 => ALL,
            _ => ALL + stream.below(objects + 1) as usize,
        };
        let object = profile.objects.get(column.wrapping_sub(ALL + 1));
        let object = object.and_then(|object| u64::from_str_radix(object, 16).ok());
        let weights = weights(&profile, column);
        Surw {
            stream,
            profile,
            object,
            weights,
            tasks: Vec::new(),
            left: Vec::new(),
            next_root: 0,
            intended: None,
            drawn: None,
            able: Vec::new(),
            free: Vec::new(),
        }
    }

    fn of(&mut self, task: u32) -> &mut Task {
        let index = task as usize;
        if self.tasks.len() <= index {
            self.tasks.resize(index + 1, Task::default());
            self.left.resize(index + 1, 0);
        }
        &mut self.tasks[index]
    }

    /// The row of the profile for the next child of a task, whose own row it is, from row `from` on; and where to look
    /// for the one after it.
    fn row_of_child(&self, parent: Option<usize>, from: usize) -> (Option<usize>, usize) {
        let code = parent.map_or(0, |parent| parent as u32 + 1);
        let is_child = |row: &Vec<u32>| row.first() == Some(&code);
        let row = self.profile.tasks[from..].iter().position(is_child).map(|offset| from + offset);
        (row, row.map_or(self.profile.tasks.len(), |row| row + 1))
    }

    /// A task, by what it has left.
    fn draw_of_all(&mut self) -> Option<u32> {
        let mut ticket = self.stream.below(self.left.iter().sum());
        for (task, &left) in self.left.iter().enumerate() {
            if ticket < left {
                return Some(task as u32);
            }
            ticket -= left;
        }
        None
    }

    /// One of those that can go on, by what it has left.
    fn draw_of_able(&mut self) -> Option<u32> {
        let left = |task: u32| self.left.get(task as usize).copied().unwrap_or(0);
        let mut ticket = self.stream.below(self.able.iter().map(|task| left(*task)).sum());
        for &task in &self.able {
            if ticket < left(task) {
                return Some(task);
            }
            ticket -= left(task);
        }
        None
    }

    /// Who of the able goes on.
    fn draw(&mut self) -> u32 {
        if self.intended.is_none() {
            self.intended = self.draw_of_all();
        }
        let is_interesting = |task: u32| self.tasks.get(task as usize).is_some_and(|task| task.interesting);
        let is_free = |task: &&u32| Some(**task) == self.intended || !is_interesting(**task);
        self.free.clear();
        self.free.extend(self.able.iter().filter(is_free));
        let among = if self.free.is_empty() {
            // The intended task waits for something: it is somebody else's turn to do the next interesting thing.
            self.intended = self.draw_of_able();
            if let Some(task) = self.intended {
                return task;
            }
            &self.able
        } else {
            &self.free
        };
        among[self.stream.below(among.len() as u64) as usize]
    }

    /// A task does what it was about to do.
    fn happens(&mut self, task: u32) {
        let known = self.of(task);
        if std::mem::take(&mut known.interesting) {
            let left = &mut self.left[task as usize];
            *left = left.saturating_sub(1).max(1);
            if self.intended == Some(task) {
                self.intended = None;
            }
        }
    }
}

/// The interesting events of each row and of the rows that descend from it.
fn weights(profile: &Profile, column: usize) -> Vec<u64> {
    let own = |row: &Vec<u32>| u64::from(row.get(column).copied().unwrap_or(0));
    let mut weights: Vec<u64> = profile.tasks.iter().map(own).collect();
    for (index, row) in profile.tasks.iter().enumerate().rev() {
        let parent = row.first().map_or(0, |parent| *parent as usize);
        if (1..=index).contains(&parent) {
            weights[parent - 1] += weights[index];
        }
    }
    weights
}

impl Strategy for Surw {
    fn pick(&mut self, ready: &Ready) -> usize {
        let place = |task: u32| ready.entries().iter().position(|entry| entry.serial == task);
        if let Some((task, index)) = self.drawn.take().and_then(|task| Some((task, place(task)?))) {
            self.happens(task);
            return index;
        }
        self.able.clear();
        self.able.extend(ready.entries().iter().map(|entry| entry.serial));
        let task = self.draw();
        self.happens(task);
        place(task).unwrap_or(0)
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        let others = ready.entries().iter().map(|entry| entry.serial).filter(|other| *other != task);
        self.able.clear();
        self.able.extend(others.chain([task]));
        let drawn = self.draw();
        self.drawn = (drawn != task).then_some(drawn);
        if drawn == task {
            self.happens(task);
        }
        Some(drawn != task)
    }

    fn listens(&self) -> bool {
        true
    }

    fn spawned(&mut self, task: u32, parent: Option<u32>) {
        let row = match parent {
            None => {
                let (row, next) = self.row_of_child(None, self.next_root);
                self.next_root = next;
                row
            }
            Some(parent) => {
                let Task { row: own, next, .. } = *self.of(parent);
                let found = own.map(|own| self.row_of_child(Some(own), next));
                self.of(parent).next = found.map_or(0, |(_, next)| next);
                found.and_then(|(row, _)| row)
            }
        };
        let left = row.map_or(1, |row| self.weights[row]);
        if let Some(parent) = parent {
            let parent = &mut self.left[parent as usize];
            *parent = parent.saturating_sub(left);
        }
        *self.of(task) = Task { row, ..Task::default() };
        self.left[task as usize] = left;
    }

    fn access(&mut self, task: u32, object: u64, _access: Access) {
        let interesting = self.object.is_none_or(|own| own == object);
        self.of(task).interesting = interesting;
    }

    fn done(&mut self, task: u32) {
        self.of(task);
        self.left[task as usize] = 0;
        if self.intended == Some(task) {
            self.intended = None;
        }
    }
}
