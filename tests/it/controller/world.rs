//! How these tests run a future in virtual time and see what its queue recorded.

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::fault::FaultPlan;
use fatum::runtime::{End, LeakPolicy};
use fatum::systems::controller::properties::Settings;
use fatum::systems::controller::{ControllerEvent, ControllerProperties};
use fatum::time::Duration;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

/// What a run gave back and recorded, with the times since its start.
pub(crate) struct Observed<T> {
    pub(crate) value: T,
    pub(crate) events: Vec<(Duration, ControllerEvent)>,
    pub(crate) took: Duration,
}

impl<T> Observed<T> {
    /// Every property of a queue holds.
    pub(crate) fn obeys(&self, settings: Settings) {
        let mut fold = ControllerProperties::new(settings);
        let nanos = |at: &Duration| u64::try_from(at.as_nanos()).expect("a test is short");
        let judged = self.events.iter().try_for_each(|(at, event)| fold.observe(nanos(at), event));
        if let Err(violation) = judged {
            let line = |(at, event): &(Duration, ControllerEvent)| format!("{at:>12?} {event:?}\n");
            panic!("{violation}\n{}", self.events.iter().map(line).collect::<String>());
        }
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

/// The baseline run for seed 0, a random walk for any other; it must pass, and leave no task behind.
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
    let builder = Sim::builder().leaks(LeakPolicy::Fail).faults(plan);
    let builder = if seed == 0 { builder.tape(&Tape::default()) } else { builder.seed(seed) };
    let mut sim = builder.build();
    let (events, value) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (seen, slot) = (Rc::clone(&events), Rc::clone(&value));
    sim.fold::<ControllerEvent, _>("seen", (), move |(), at, event| {
        seen.borrow_mut().push((at.since_start(), event.clone()));
        Ok(())
    });
    sim.run(async move {
        let value = body().await;
        *slot.borrow_mut() = Some((value, fatum::time::Instant::now().since_start()));
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed, "seed {seed}");
    let (value, took) = value.borrow_mut().take().expect("the run passed");
    Observed { value, events: events.take(), took }
}
