//! The properties in a simulation. Separate because it is the only part of a graph that knows a `Sim`; it must not
//! judge anything itself.

use std::cell::RefCell;
use std::rc::Rc;

use super::{GraphProperties, Punctuality, RunFacts};
use crate::property;
use crate::sim::Sim;
use crate::systems::graph::record::{GraphEvent, nanos};

/// What the runs of a simulation came to.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    facts: Rc<RefCell<Vec<RunFacts>>>,
}

impl Facts {
    /// Each run that returned so far, in order.
    pub fn runs(&self) -> Vec<RunFacts> {
        self.facts.borrow().clone()
    }
}

/// Judges every run of a graph in this simulation; a broken property ends it under its own name.
pub fn install(sim: &mut Sim, punctuality: Punctuality) -> Facts {
    let facts = Facts::default();
    let shared = Rc::clone(&facts.facts);
    sim.fold::<GraphEvent, _>("graph", GraphProperties::new(punctuality), move |fold, at, event| {
        if let Err(violation) = fold.observe(nanos(at.since_start()), event) {
            property::always(violation.property, false, || violation.detail);
        }
        let mut known = shared.borrow_mut();
        let seen = known.len();
        known.extend_from_slice(&fold.facts()[seen..]);
        Ok(())
    });
    facts
}
