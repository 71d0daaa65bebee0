//! Emitting records: into the digests, the trace and the folds of properties of the running simulation.

use crate::runtime::current;
use crate::trace::{Hasher, Kind, Record, Value};

/// Says that something happened. Counts as progress; does nothing outside a simulation.
pub fn emit<R: Record>(record: R) {
    let state = current::try_with(|world| {
        let deaf = world.is_deaf();
        (!deaf).then(|| world.events.is_some())
    });
    let Some(keeps_events) = state.flatten() else {
        return;
    };
    // A record is the user's: whatever it does, the observers are in their place.
    let (name, word) = Hasher::record(&record);
    let kind = keeps_events.then(|| Kind::record(&record));
    let (now, mut observers) = current::with(|world| {
        let now = world.note_record(word, name, kind);
        (now, std::mem::take(&mut world.observers))
    });
    let violation = observers.iter_mut().find_map(|observer| observer.judge(&record, now));
    current::with(|world| {
        observers.append(&mut world.observers);
        world.observers = observers;
        if let Some(violation) = violation {
            world.violate(violation);
        }
    });
}

/// A record made on the spot, by [`crate::event!`].
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Adhoc {
    pub name: &'static str,
    pub fields: Vec<(&'static str, crate::trace::Owned)>,
}

impl Record for Adhoc {
    fn name(&self) -> &'static str {
        self.name
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        for (key, value) in &self.fields {
            visit(key, value.as_value());
        }
    }
}

/// Emits a record: `event!("order.paid", id = 7u64, by = "card")`. Values are numbers, booleans and texts.
#[macro_export]
macro_rules! event {
    ($name:expr $(, $key:ident = $value:expr)* $(,)?) => {
        if $crate::is_simulated() {
            $crate::emit($crate::__private::Adhoc {
                name: $name,
                fields: vec![$((stringify!($key), $crate::trace::Owned::from($value))),*],
            });
        }
    };
}

/// Says that the program got somewhere: a world event for the judgement of deadlocks.
#[macro_export]
macro_rules! progress {
    ($($what:tt)*) => { $crate::event!($($what)*) };
}
