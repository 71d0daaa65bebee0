//! The synchronization objects of a world: their numbers, and which tasks hold them. It does not know what they are.

use std::collections::BTreeMap;

/// Numbers and holders.
#[derive(Default)]
pub(crate) struct Objects {
    last: u64,
    /// Made at their first use: many a run has no objects.
    tables: Option<Box<Tables>>,
}

#[derive(Default)]
struct Tables {
    /// Numbers of objects that were created outside, by their id there.
    foreign: BTreeMap<u64, u64>,
    /// How often a task, by spawn serial, holds an object, and whether it serves for ever.
    holders: BTreeMap<(u64, u32), (u32, bool)>,
}

impl Objects {
    /// A number for a new object, from 1.
    #[inline]
    pub(crate) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of an object that was created outside, given at its first use: ids differ from run to run.
    pub(crate) fn foreign(&mut self, id: u64) -> u64 {
        let known = self.tables.as_ref().and_then(|tables| tables.foreign.get(&id));
        if let Some(number) = known {
            return *number;
        }
        let number = self.number();
        self.tables.get_or_insert_default().foreign.insert(id, number);
        number
    }

    /// The task holds the object, once more.
    #[inline]
    pub(crate) fn hold(&mut self, object: u64, task: u32, daemon: bool) {
        let tables = self.tables.get_or_insert_default();
        tables.holders.entry((object, task)).or_insert((0, daemon)).0 += 1;
    }

    /// Undoes one [`Objects::hold`].
    #[inline]
    pub(crate) fn unhold(&mut self, object: u64, task: u32) {
        let Some(tables) = &mut self.tables else { return };
        if let Some((times, _)) = tables.holders.get_mut(&(object, task)) {
            *times -= 1;
            if *times == 0 {
                tables.holders.remove(&(object, task));
            }
        }
    }

    /// Every holder: object, task, and whether that task serves for ever.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, u32, bool)> {
        let holders = self.tables.iter().flat_map(|tables| &tables.holders);
        holders.map(|((object, task), (_, daemon))| (*object, *task, *daemon))
    }

    /// Whether nobody holds any.
    pub(crate) fn are_free(&self) -> bool {
        self.tables.as_ref().is_none_or(|tables| tables.holders.is_empty())
    }

    /// How many holders there are that are no daemons, of all objects.
    pub(crate) fn held(&self) -> usize {
        self.all().filter(|(_, _, daemon)| !daemon).count()
    }

    /// The tasks that hold the object, in spawn order.
    pub(crate) fn holders(&self, object: u64) -> Vec<u32> {
        let of_object = (object, 0)..=(object, u32::MAX);
        let holders = self.tables.iter().flat_map(|tables| tables.holders.range(of_object.clone()));
        holders.map(|((_, task), _)| *task).collect()
    }
}
