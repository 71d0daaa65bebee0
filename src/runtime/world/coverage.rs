//! What a run got to: declared states, and properties that must be met somewhere in a sweep. Nothing here can change a
//! run: it enters no digest.

use super::World;
use crate::choice::Reached;

impl World {
    /// The program declares that it reached a state.
    #[inline]
    pub(crate) fn cover(&mut self, state: u64) {
        if self.is_deaf() {
            return;
        }
        self.states.note(state);
        if self.follows_coverage {
            self.source.reached(Reached::State(state));
        }
    }

    /// Notes whether a `sometimes` held.
    pub(crate) fn sometimes(&mut self, property: &'static str, held: bool) {
        if self.is_deaf() {
            return;
        }
        *self.coverage.entry(property).or_insert(0) += u64::from(held);
        if held {
            self.tell_met(property);
        }
    }

    /// Tells a source that wants to know that a property was met.
    pub(crate) fn tell_met(&mut self, property: &'static str) {
        if self.follows_coverage {
            self.source.reached(Reached::Property(property));
        }
    }
}
