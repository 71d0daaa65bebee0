//! The properties in a simulation. Separate because it is the only part of a graph that knows a `Sim`; it must not
//! judge anything itself.

use std::cell::RefCell;
use std::rc::Rc;

use super::{GraphProperties, Punctuality, RunFacts};
use crate::host::{HostChange, HostEvent};
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

/// Judges every run of a graph in this simulation; a broken property ends it under its own name. A run whose host
/// crashes owes nothing more.
pub fn install(sim: &mut Sim, punctuality: Punctuality) -> Facts {
    let facts = Facts::default();
    let shared = Rc::clone(&facts.facts);
    let fold = Rc::new(RefCell::new(GraphProperties::new(punctuality)));
    let ran_on = Rc::new(RefCell::new(None));
    let (judged, place) = (Rc::clone(&fold), Rc::clone(&ran_on));
    sim.fold::<GraphEvent, _>("graph", (), move |(), at, event| {
        if matches!(event, GraphEvent::RunStarted(_)) {
            place.replace(crate::host::current());
        }
        let mut fold = judged.borrow_mut();
        if let Err(violation) = fold.observe(nanos(at.since_start()), event) {
            property::always(violation.property, false, || violation.detail);
        }
        let mut known = shared.borrow_mut();
        let seen = known.len();
        known.extend_from_slice(&fold.facts()[seen..]);
        Ok(())
    });
    sim.fold::<HostEvent, _>("graph", (), move |(), _, event| {
        if event.change == HostChange::Crashed && ran_on.borrow().as_ref() == Some(&event.host) {
            fold.borrow_mut().crashed();
        }
        Ok(())
    });
    facts
}
