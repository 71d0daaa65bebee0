//! States that a program declares to have reached: counted per run, and followed by the guided search.
//!
//! A declaration changes nothing in a run: it is no choice, no event and no progress.

use crate::choice::fold;
use crate::runtime::current;

/// Declares that the running simulation reached a state, by the hash of its label and the values that go with it.
#[doc(hidden)]
#[inline]
pub fn cover(label: u64, values: &[u64]) {
    let state = values.iter().fold(label, |state, value| fold(state, *value));
    current::try_with(|world| world.cover(state));
}

/// Declares that a state of the program was reached: `cover!("phase")`, or with integers that tell states of one label
/// apart, `cover!("replicas", ready, wanted)`.
///
/// A report counts the distinct states of a sweep, and the guided search ([`crate::Check::guided`]) looks for runs that
/// reach new ones: say what progress is, as in the depth of a protocol or the number of entries that are in place, and
/// leave out what takes thousands of values, such as a clock. A run counts 65,536 states at most.
///
/// The label is a constant. Values are of any type that `as u64` takes; outside a simulation they are not evaluated.
///
/// ```
/// let run = {
///     let mut sim = fatum::Sim::new(0);
///     sim.run(async {
///         for ready in [0u8, 1, 1, 2] {
///             fatum::cover!("replicas", ready);
///         }
///     });
///     sim.finish()
/// };
/// assert_eq!(run.states.len(), 3);
/// ```
#[macro_export]
macro_rules! cover {
    ($label:expr $(, $value:expr)* $(,)?) => {
        if $crate::is_simulated() {
            $crate::__private::cover(
                const { $crate::choice::hash_bytes(str::as_bytes($label)) },
                &[$($value as u64),*],
            );
        }
    };
}
