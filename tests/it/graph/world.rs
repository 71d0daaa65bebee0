//! How these tests run a future in virtual time, see what it recorded, and judge it by every property.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::fault::FaultPlan;
use fatum::runtime::{End, LeakPolicy};
use fatum::systems::graph::{GraphEvent, GraphProperties, Punctuality, Violation};
use fatum::time::Duration;

/// What a run gave back and recorded; virtual times in nanoseconds.
pub(crate) struct Observed<T> {
    pub(crate) value: T,
    pub(crate) events: Vec<(u64, GraphEvent)>,
    pub(crate) took: Duration,
}

impl<T> Observed<T> {
    /// Every property holds.
    pub(crate) fn properties(&self) -> GraphProperties {
        self.judge().unwrap_or_else(|violation| panic!("{violation}\n{}", self.listing()))
    }

    pub(crate) fn judge(&self) -> Result<GraphProperties, Violation> {
        let mut fold = GraphProperties::new(Punctuality::Exact);
        for (at, event) in &self.events {
            fold.observe(*at, event)?;
        }
        fold.finish()?;
        Ok(fold)
    }

    pub(crate) fn listing(&self) -> String {
        self.events.iter().map(|(at, event)| format!("{at:>12} {event:?}\n")).collect()
    }
}

/// The baseline run.
pub(crate) fn simulate<F, Fut>(body: F) -> Observed<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    simulate_seeded(0, body)
}

/// The baseline run for seed 0, a random walk for any other.
pub(crate) fn simulate_seeded<F, Fut>(seed: u64, body: F) -> Observed<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    simulate_under(FaultPlan::none(), seed, body)
}

/// As `simulate_seeded`, with faults.
pub(crate) fn simulate_under<F, Fut>(plan: FaultPlan, seed: u64, body: F) -> Observed<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    let builder = Sim::builder().leaks(LeakPolicy::Allow).faults(plan);
    let builder = if seed == 0 { builder.tape(&Tape::default()) } else { builder.seed(seed) };
    let mut sim = builder.build();
    let (events, value) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (seen, slot) = (Rc::clone(&events), Rc::clone(&value));
    sim.fold::<GraphEvent, _>("seen", (), move |(), at, event| {
        let nanos = u64::try_from(at.since_start().as_nanos()).expect("a test is short");
        seen.borrow_mut().push((nanos, event.clone()));
        Ok(())
    });
    sim.run(async move {
        let value = body().await;
        *slot.borrow_mut() = Some((value, fatum::time::Instant::now().since_start()));
    });
    let run = sim.finish();
    let value = value.borrow_mut().take();
    let (value, took) = value.unwrap_or_else(|| panic!("the body did not end: {:?}", run.end));
    assert_eq!(run.end, End::Passed);
    let events = events.borrow().clone();
    Observed { value, events, took }
}
