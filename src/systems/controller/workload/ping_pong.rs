//! Ping-pong: two writers that overwrite each other's entry for ever. A detector over what the store records; it must
//! not know what the entries mean.

use crate::store::{Key, StoreEvent};
use crate::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many times in a row an entry may change hands within the window.
const HANDS_MAX: u32 = 20;
/// The window, which begins with the first of these.
const WINDOW: Duration = Duration::from_secs(60);

/// Who wrote each entry last, and how often it has changed hands.
#[derive(Debug, Default)]
pub(super) struct PingPong {
    entries: BTreeMap<Key, Hands>,
}

#[derive(Debug)]
struct Hands {
    writer: Arc<str>,
    changes: u32,
    since_ns: u128,
}

impl PingPong {
    /// Hears of a write; an entry that two writers fight over is an error.
    pub(super) fn hear(&mut self, at: Duration, event: &StoreEvent) -> Result<(), String> {
        let (StoreEvent::Created { key, writer, .. }
        | StoreEvent::Updated { key, writer, .. }
        | StoreEvent::Deleted { key, writer, .. }) = event
        else {
            return Ok(());
        };
        let at_ns = at.as_nanos();
        let fresh = || Hands { writer: writer.clone(), changes: 0, since_ns: at_ns };
        let hands = self.entries.entry(key.clone()).or_insert_with(fresh);
        if hands.writer == *writer {
            return Ok(());
        }
        if at_ns - hands.since_ns > WINDOW.as_nanos() {
            *hands = fresh();
            return Ok(());
        }
        let before = std::mem::replace(&mut hands.writer, writer.clone());
        hands.changes += 1;
        if hands.changes <= HANDS_MAX {
            return Ok(());
        }
        let changes = hands.changes;
        Err(format!(
            "{key} changed hands {changes} times within {WINDOW:?}, last between {before} and {writer}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(writer: &str) -> StoreEvent {
        StoreEvent::Updated { key: Key::new("pod", "a"), index: 1, writer: Arc::from(writer) }
    }

    #[test]
    fn two_writers_that_fight_are_told_and_one_that_repeats_itself_is_not() {
        let at = Duration::from_secs;
        let mut quiet = PingPong::default();
        assert!((0..500).all(|n| quiet.hear(at(n / 10), &write("one")).is_ok()));
        let mut fight = PingPong::default();
        let verdicts: Vec<bool> =
            (0..22).map(|n| fight.hear(at(n), &write(["one", "two"][n as usize % 2])).is_ok()).collect();
        assert_eq!(verdicts.iter().filter(|ok| !**ok).count(), 1, "{verdicts:?}");
        assert!(!verdicts[21], "the 21st change of hands is one too many");
        let mut slow = PingPong::default();
        assert!((0..500).all(|n| slow.hear(at(n * 10), &write(["one", "two"][n as usize % 2])).is_ok()));
    }
}
