//! A workload: a system with the world that it acts on, as scenarios run it and as users write their own.
//!
//! Separate because every system has one and the scenarios read them all alike. It must not know any system, nor
//! scenario files.

use crate::property;
use crate::sim::{Differential, Sim};
use crate::trace::Record;
use serde::de::DeserializeOwned;

/// A system in its world; `Self` is the table `[workload]` of a scenario file.
pub trait Workload: DeserializeOwned + Send + Sync + 'static {
    /// The name of the system in files.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// A whole scenario file that works.
    const EXAMPLE: &'static str;
    /// The variants: the correct one first, then those with a planted bug.
    const VARIANTS: &'static [&'static str];
    /// The kinds of entries in the store whose end state, and whose creates and deletes, must be those of the run
    /// without faults. Empty where nothing is compared.
    const ACTUAL: &'static [&'static str];

    /// The fault sites of its own, beside those of stores, disks and hosts.
    fn sites() -> Vec<&'static str> {
        Vec::new()
    }

    /// The properties that a run of it judges.
    fn properties() -> Vec<&'static str>;

    /// The places that a file may list as ones that the sweep must reach, beside `host-restarted` and `entry-deleted`.
    fn places() -> Vec<&'static str>;

    /// Takes a variant: one of [`Workload::VARIANTS`].
    fn choose(&mut self, variant: &'static str);

    /// What of the run without faults must be repeated.
    fn differential(&self) -> Differential {
        Differential::StateAndEffects
    }

    /// Puts hosts, engines, properties and the user's script into a world. `places` are those of [`Workload::places`]
    /// that the file lists, to be met with [`crate::property::reachable`].
    fn set_up(&self, sim: &mut Sim, places: &[&'static str]);
}

/// Meets those of `places` at which an event is, as `place` says of each; a sweep requires them where its file lists them.
pub fn meet_places<E: Record>(
    sim: &mut Sim,
    places: &[&'static str],
    mut place: impl FnMut(&E) -> Option<&'static str> + 'static,
) {
    if places.is_empty() {
        return;
    }
    let places = places.to_vec();
    sim.fold::<E, _>("places", (), move |(), _, event| {
        place(event).filter(|place| places.contains(place)).into_iter().for_each(property::reachable);
        Ok(())
    });
}
