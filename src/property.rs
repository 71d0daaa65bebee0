//! Properties: what must hold in a run, and what must be met in a sweep.
//!
//! A property is a fold over emitted records, or a predicate evaluated after the steps that changed what it declares
//! to read; without a declaration, after every step. Predicates run with no world borrowed.

use crate::choice::hash_bytes;
use crate::runtime::End;
use crate::runtime::current;
use crate::runtime::panics;
use crate::runtime::world::Violation;

/// What a predicate says: a yes or no, or an error that tells why not.
pub trait Answer {
    /// `Ok` when it holds.
    ///
    /// # Errors
    /// Why it does not hold; empty when the predicate does not say.
    fn into_result(self) -> Result<(), String>;
}

impl Answer for bool {
    fn into_result(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<E: std::fmt::Display> Answer for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// When a predicate must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// After every step.
    Always,
    /// Once, by the end of the quiet phase.
    Eventually,
    /// At the end of the quiet phase, and from the time on that it is reached there.
    Converges,
    /// Once in a sweep.
    Sometimes,
}

/// A predicate over the program's state.
pub(crate) struct Predicate {
    pub(crate) name: &'static str,
    when: When,
    reads: Vec<u64>,
    holds: Box<dyn FnMut() -> Result<(), String>>,
    satisfied: bool,
    why_not: String,
}

impl Predicate {
    pub(crate) fn new<A: Answer>(
        name: &'static str,
        when: When,
        reads: &[&str],
        mut holds: impl FnMut() -> A + 'static,
    ) -> Predicate {
        let reads = reads.iter().map(|label| hash_bytes(label.as_bytes())).collect();
        let holds = Box::new(move || holds().into_result());
        Predicate { name, when, reads, holds, satisfied: false, why_not: String::new() }
    }

    /// Evaluates after a step that wrote `touched`; a broken `always` is returned.
    pub(crate) fn observe(&mut self, touched: &[u64], quiet: bool) -> Option<Violation> {
        if !self.reads.is_empty() && !self.reads.iter().any(|label| touched.contains(label)) {
            return None;
        }
        self.evaluate(quiet)
    }

    /// Evaluates; a broken `always` is returned.
    pub(crate) fn evaluate(&mut self, quiet: bool) -> Option<Violation> {
        let once = matches!(self.when, When::Eventually | When::Sometimes);
        if (once && self.satisfied) || (self.when == When::Converges && !quiet) {
            return None;
        }
        let was_satisfied = self.satisfied;
        match self.ask() {
            Ok(()) => self.satisfied = true,
            Err(why_not) => {
                (self.satisfied, self.why_not) = (false, why_not);
                if self.when == When::Always {
                    return Some(Violation {
                        property: self.name.to_owned(),
                        detail: self.reason("does not hold"),
                    });
                }
                if self.when == When::Converges && was_satisfied {
                    self.why_not = self.reason("held and was lost again");
                }
            }
        }
        None
    }

    /// What the predicate says; one that panics does not hold.
    fn ask(&mut self) -> Result<(), String> {
        panics::catch(|| (self.holds)()).unwrap_or_else(|payload| Err(panics::said(&*payload)))
    }

    /// Whether time must go on for this property once the workload is over.
    pub(crate) fn needs_time(&self) -> bool {
        match self.when {
            When::Always | When::Sometimes => false,
            When::Eventually => !self.satisfied,
            When::Converges => true,
        }
    }

    /// Whether this is a `sometimes` that was met.
    pub(crate) fn reached(&self) -> Option<bool> {
        (self.when == When::Sometimes).then_some(self.satisfied)
    }

    /// How the run ends on account of this property.
    pub(crate) fn verdict(&self) -> Option<End> {
        let property = self.name.to_owned();
        match self.when {
            When::Eventually if !self.satisfied => {
                Some(End::Violated { property, detail: self.reason("never came to hold") })
            }
            When::Converges if !self.satisfied => {
                Some(End::NotConverged { property, detail: self.reason("does not hold at the end") })
            }
            When::Always | When::Eventually | When::Converges | When::Sometimes => None,
        }
    }

    fn reason(&self, default: &str) -> String {
        if self.why_not.is_empty() { default.to_owned() } else { self.why_not.clone() }
    }
}

/// Checks, here and now, that something holds; a broken property ends the run. Does nothing outside a simulation.
pub fn always(property: &'static str, holds: bool, detail: impl FnOnce() -> String) {
    if !holds && crate::is_simulated() {
        let violation = Violation { property: property.to_owned(), detail: detail() };
        current::try_with(|world| world.violate(violation));
    }
}

/// Says that a place was reached which no run must reach.
pub fn unreachable(property: &'static str) {
    always(property, false, || "a place that must not be reached was reached".to_owned());
}

/// Says that a place was reached which some run of the sweep must reach.
pub fn reachable(property: &'static str) {
    sometimes(property, true);
}

/// Notes whether something held that must hold somewhere in the sweep.
pub fn sometimes(property: &'static str, held: bool) {
    current::try_with(|world| world.sometimes(property, held));
}
