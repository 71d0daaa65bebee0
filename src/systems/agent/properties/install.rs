//! The properties in a simulation. Separate because it is the only part of an agent's properties that knows a `Sim`; it
//! must not judge anything itself.

use super::{AT_LAST, AgentProperties, Violation};
use crate::host::{HostChange, HostEvent};
use crate::property;
use crate::sim::Sim;
use crate::systems::agent::record::AgentEvent;
use std::cell::RefCell;
use std::rc::Rc;

/// The records after which something may have come to hold, or not.
const READS: [&str; 16] = [
    "manager.wants",
    "manager.wants-no-more",
    "manager.recorded",
    "agent.restored",
    "agent.assigned",
    "agent.unassigned",
    "agent.stored",
    "agent.record-deleted",
    "agent.removed",
    "agent.closing",
    "agent.closed",
    "container.created",
    "container.started",
    "container.removed",
    "host.crashed",
    "host.started",
];

/// What the fold of a simulation has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    fold: Rc<RefCell<AgentProperties>>,
}

impl Observed {
    /// The fold as it is now.
    pub fn properties(&self) -> AgentProperties {
        self.fold.borrow().clone()
    }
}

/// Judges every agent of this simulation; a broken property ends it under its own name. A node is the host of its name.
pub fn install(sim: &mut Sim) -> Observed {
    let observed = Observed::default();
    let fold = Rc::clone(&observed.fold);
    sim.fold::<AgentEvent, _>("agent", fold, |fold, at, event| {
        let at = u64::try_from(at.since_start().as_nanos()).unwrap_or(u64::MAX);
        tell(fold.borrow_mut().observe(at, event));
        Ok(())
    });
    let fold = Rc::clone(&observed.fold);
    sim.fold::<HostEvent, _>("agent", fold, |fold, _, event| {
        if event.change == HostChange::Crashed {
            fold.borrow_mut().crashed(&event.host);
        }
        Ok(())
    });
    for property in AT_LAST {
        let fold = Rc::clone(&observed.fold);
        sim.converges_reading(property, &READS, move || {
            fold.borrow().at_last(property).map_err(|violation| violation.detail)
        });
    }
    observed
}

fn tell(judged: Result<(), Violation>) {
    if let Err(violation) = judged {
        property::always(violation.property, false, || violation.detail);
    }
}
