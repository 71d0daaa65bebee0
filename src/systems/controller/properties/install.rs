//! The properties in a simulation. Separate because it is the only part of a controller that knows a `Sim`; it must
//! not judge anything itself.

use std::cell::RefCell;
use std::rc::Rc;

use super::{ControllerProperties, Fact, Punctuality, Settings, Violation, nanos};
use crate::fault::FaultKind;
use crate::host::{HostChange, HostEvent};
use crate::property;
use crate::sim::Sim;
use crate::systems::controller::record::ControllerEvent;
use crate::time::Instant;

/// What the fold of a simulation has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    fold: Rc<RefCell<ControllerProperties>>,
}

impl Observed {
    /// The fold as it is now.
    pub fn properties(&self) -> ControllerProperties {
        self.fold.borrow().clone()
    }

    /// Tells the fold a fact that was not emitted.
    pub(crate) fn hear(&self, at: Instant, fact: &Fact) {
        tell(self.fold.borrow_mut().hear(nanos(at.since_start()), fact));
    }

    /// Demands that, when the faults are over, every entry comes to be reconciled at its latest version and stays so, as
    /// the property `eventual-consistency`. The run takes all of its quiet time then.
    pub fn demand_consistency(&self, sim: &mut Sim) {
        let fold = Rc::clone(&self.fold);
        sim.converges("eventual-consistency", move || match fold.borrow().behind().first() {
            None => Ok(()),
            Some(behind) => Err(behind.clone()),
        });
    }
}

/// Judges every controller and every queue of this simulation; a broken property ends it under its own name. If the plan
/// may hold back tasks, timers, hosts or calls, nothing is said about lateness; if clocks may drift, nothing about times.
pub fn install(sim: &mut Sim) -> Observed {
    let holds_back = sim.faults().rules.iter().any(|rule| {
        matches!(
            rule.kind,
            FaultKind::Stall
                | FaultKind::LateTimer
                | FaultKind::Hang
                | FaultKind::Pause(_)
                | FaultKind::ClockJump(_)
        )
    });
    let drifts = sim.faults().rules.iter().any(|rule| matches!(rule.kind, FaultKind::ClockDrift(_)));
    let punctuality = match (drifts, holds_back) {
        (true, _) => Punctuality::Drifting,
        (false, true) => Punctuality::Late,
        (false, false) => Punctuality::Exact,
    };
    install_with(sim, Settings { punctuality, ..Settings::default() })
}

/// As [`install`], with what may be taken for granted.
pub fn install_with(sim: &mut Sim, settings: Settings) -> Observed {
    let observed = Observed { fold: Rc::new(RefCell::new(ControllerProperties::new(settings))) };
    let fold = Rc::clone(&observed.fold);
    sim.fold::<ControllerEvent, _>("controller", fold, move |fold, at, event| {
        let mut fold = fold.borrow_mut();
        tell(fold.observe(nanos(at.since_start()), event));
        fold.place(event, crate::host::current());
        Ok(())
    });
    let fold = Rc::clone(&observed.fold);
    sim.fold::<HostEvent, _>("controller", fold, move |fold, _, event| {
        if event.change == HostChange::Crashed {
            fold.borrow_mut().crashed(&event.host);
        }
        Ok(())
    });
    let fold = Rc::clone(&observed.fold);
    sim.fold::<Fact, _>("controller", fold, move |fold, at, fact| {
        tell(fold.borrow_mut().hear(nanos(at.since_start()), fact));
        Ok(())
    });
    observed
}

fn tell(judged: Result<(), Violation>) {
    if let Err(violation) = judged {
        property::always(violation.property, false, || violation.detail);
    }
}
