//! How these tests run a future in virtual time and see what agents recorded, judged by every property.

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::runtime::{End, LeakPolicy};
use fatum::systems::agent::{AgentEvent, AgentProperties};
use fatum::time::Duration;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

/// What a run gave back and recorded, with the times since its start.
pub(crate) struct Observed<T> {
    pub(crate) value: T,
    pub(crate) events: Vec<(Duration, AgentEvent)>,
}

impl<T> Observed<T> {
    /// The property that the events break first, if any.
    pub(crate) fn broken(&self) -> Option<&'static str> {
        let mut fold = AgentProperties::new();
        let nanos = |at: &Duration| u64::try_from(at.as_nanos()).unwrap();
        let judged = self.events.iter().try_for_each(|(at, event)| fold.observe(nanos(at), event));
        judged.err().map(|violation| violation.property)
    }
}

/// The baseline run for seed 0, a random walk for any other; it must pass.
pub(crate) fn simulate_seeded<F, Fut>(seed: u64, body: F) -> Observed<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    let builder = Sim::builder().leaks(LeakPolicy::Allow);
    let builder = if seed == 0 { builder.tape(&Tape::default()) } else { builder.seed(seed) };
    let mut sim = builder.build();
    let (events, value) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (seen, slot) = (Rc::clone(&events), Rc::clone(&value));
    sim.fold::<AgentEvent, _>("seen", (), move |(), at, event| {
        seen.borrow_mut().push((at.since_start(), event.clone()));
        Ok(())
    });
    sim.run(async move {
        *slot.borrow_mut() = Some(body().await);
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed, "seed {seed}");
    let value = value.borrow_mut().take().expect("the run passed");
    Observed { value, events: events.take() }
}

/// The baseline run; no property is broken.
pub(crate) fn simulate<F, Fut>(body: F) -> Fut::Output
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    let observed = simulate_seeded(0, body);
    assert_eq!(observed.broken(), None, "{:#?}", observed.events);
    observed.value
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
