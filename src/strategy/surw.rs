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
    /// Tasks that it spawned.
    children: u32,
    /// Interesting events that are left for it and for what it has yet to spawn.
    left: u64,
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
    roots: u32,
    intended: Option<u32>,
    drawn: Option<u32>,
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
        Surw { stream, profile, object, weights, tasks: Vec::new(), roots: 0, intended: None, drawn: None }
    }

    fn of(&mut self, task: u32) -> &mut Task {
        let index = task as usize;
        if self.tasks.len() <= index {
            self.tasks.resize(index + 1, Task::default());
        }
        &mut self.tasks[index]
    }

    /// The row of the profile for the task that was spawned as this child.
    fn row(&self, parent: Option<usize>, ordinal: u32) -> Option<usize> {
        let code = parent.map_or(0, |parent| parent as u32 + 1);
        let rows = self.profile.tasks.iter().enumerate();
        rows.filter(|(_, row)| row.first() == Some(&code)).nth(ordinal as usize).map(|(row, _)| row)
    }

    fn draw_intended(&mut self, among: impl Fn(u32) -> bool) -> Option<u32> {
        let weigh = |(task, known): (usize, &Task)| if among(task as u32) { known.left } else { 0 };
        let total: u64 = self.tasks.iter().enumerate().map(weigh).sum();
        let mut ticket = self.stream.below(total);
        for (task, known) in self.tasks.iter().enumerate() {
            let weight = weigh((task, known));
            if ticket < weight {
                return Some(task as u32);
            }
            ticket -= weight;
        }
        None
    }

    /// Who goes on, of the ready tasks and the running one.
    fn draw(&mut self, able: &[u32]) -> u32 {
        if self.intended.is_none() {
            self.intended = self.draw_intended(|_| true);
        }
        let free: Vec<u32> = able
            .iter()
            .copied()
            .filter(|task| Some(*task) == self.intended || !self.of(*task).interesting)
            .collect();
        if free.is_empty() {
            // The intended task waits for something: it is somebody else's turn to do the next interesting thing.
            self.intended = self.draw_intended(|task| able.contains(&task));
            return self.intended.unwrap_or_else(|| able[self.stream.below(able.len() as u64) as usize]);
        }
        free[self.stream.below(free.len() as u64) as usize]
    }

    /// A task does what it was about to do.
    fn happens(&mut self, task: u32) {
        let known = self.of(task);
        if std::mem::take(&mut known.interesting) {
            known.left = known.left.saturating_sub(1).max(1);
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
        let able: Vec<u32> = ready.entries().iter().map(|entry| entry.serial).collect();
        let task = self.drawn.take().filter(|task| able.contains(task)).unwrap_or_else(|| self.draw(&able));
        self.happens(task);
        able.iter().position(|able| *able == task).unwrap_or(0)
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        let others = ready.entries().iter().map(|entry| entry.serial).filter(|other| *other != task);
        let able: Vec<u32> = others.chain([task]).collect();
        let drawn = self.draw(&able);
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
        let siblings = parent.map_or(self.roots, |parent| self.of(parent).children);
        let row = match parent {
            None => self.row(None, siblings),
            Some(parent) => self.of(parent).row.and_then(|parent| self.row(Some(parent), siblings)),
        };
        let left = row.map_or(1, |row| self.weights[row]);
        match parent {
            None => self.roots += 1,
            Some(parent) => {
                let parent = self.of(parent);
                parent.children += 1;
                parent.left = parent.left.saturating_sub(left);
            }
        }
        *self.of(task) = Task { row, left, ..Task::default() };
    }

    fn access(&mut self, task: u32, object: u64, _access: Access) {
        let interesting = self.object.is_none_or(|own| own == object);
        self.of(task).interesting = interesting;
    }

    fn done(&mut self, task: u32) {
        self.of(task).left = 0;
        if self.intended == Some(task) {
            self.intended = None;
        }
    }
}
