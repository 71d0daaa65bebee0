//! A heap as a table of rows: a pointer is a row and its generation, so that using what was freed is a failed check.

use super::super::rt::{self, Shared};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of a heap: more than any program has objects at once.
pub const ROWS: usize = 4;

/// Objects that come and go. A generation is odd while its object lives.
#[derive(Clone)]
pub struct Heap {
    generations: Arc<Vec<Shared<u32>>>,
    free: Arc<Mutex<Vec<usize>>>,
}

/// Where an object is, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    row: usize,
    generation: u32,
}

impl Pointer {
    /// The row: another object may have it by now.
    pub fn row(self) -> usize {
        self.row
    }
}

impl Heap {
    /// Nothing is in it.
    pub fn new() -> Heap {
        let generations = (0..ROWS).map(|row| Shared::row("heap", row as u64, 0)).collect();
        let free = (0..ROWS).rev().collect();
        Heap { generations: Arc::new(generations), free: Arc::new(Mutex::new(free)) }
    }

    /// A new object, in the row that was freed last: one access to it.
    #[track_caller]
    pub fn allocate(&self) -> impl Future<Output = Pointer> {
        let row =
            self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("there are rows enough");
        let generation = self.generations[row].update(|generation| {
            *generation += 1;
            *generation
        });
        async move { Pointer { row, generation: generation.await } }
    }

    /// One access to the object.
    #[track_caller]
    pub fn touch(&self, pointer: Pointer) -> impl Future<Output = ()> {
        let now = self.generations[pointer.row].get();
        async move { rt::check(now.await == pointer.generation, "use after free") }
    }

    /// As [`Heap::touch`], through a pointer that may be null.
    #[track_caller]
    pub fn touch_at(&self, pointer: Option<Pointer>) -> impl Future<Output = ()> {
        rt::check(pointer.is_some(), "null dereference");
        let touched = pointer.map(|pointer| self.touch(pointer));
        async move {
            if let Some(touched) = touched {
                touched.await;
            }
        }
    }

    /// Ends the object: one access to it.
    #[track_caller]
    pub fn free(&self, pointer: Pointer) -> impl Future<Output = ()> {
        let ended = self.generations[pointer.row].update(move |generation| {
            let lives = *generation == pointer.generation;
            *generation += u32::from(lives);
            lives
        });
        async move {
            rt::check(ended.await, "double free");
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(pointer.row);
        }
    }
}
