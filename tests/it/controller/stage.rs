//! How the tests of controllers run one in virtual time, judged by every property.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::runtime::{Budget, End, LeakPolicy};
use fatum::sync::CancellationToken;
use fatum::systems::controller::properties::{Settings, install_with};
use fatum::systems::controller::{
    Builder, ControllerEvent, ControllerProperties, Handle, RunError, Shutdown,
};
use fatum::task::{JoinHandle, spawn_named};
use fatum::time::{Duration, sleep};

use super::ms;

/// What a run gave back and recorded, with the times since its start.
pub(crate) struct Seen<T> {
    pub(crate) value: Option<T>,
    pub(crate) events: Vec<(Duration, ControllerEvent)>,
    pub(crate) end: End,
    pub(crate) fold: ControllerProperties,
}

impl<T> Seen<T> {
    /// The property that was broken, or how the run ended if not well.
    pub(crate) fn broken(&self) -> Option<String> {
        match &self.end {
            End::Violated { property, .. } => Some(property.clone()),
            end if !end.is_passed() => Some(end.kind().to_owned()),
            _ => self.fold.finish().err().map(|violation| violation.property.to_owned()),
        }
    }

    pub(crate) fn listing(&self) -> String {
        self.events.iter().map(|(at, event)| format!("{at:>12?} {event:?}\n")).collect()
    }

    /// What was given back by a run that broke nothing.
    #[track_caller]
    pub(crate) fn passed(self) -> T {
        assert_eq!(self.end, End::Passed, "\n{}", self.listing());
        assert_eq!(self.fold.finish(), Ok(()), "\n{}", self.listing());
        self.value.expect("a run that passed has ended")
    }
}

/// The baseline run for seed 0, a random walk for any other. No task may be left behind.
pub(crate) fn stage<F, Fut>(seed: u64, body: F) -> Seen<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    stage_with(seed, Settings::default(), body)
}

pub(crate) fn stage_with<F, Fut>(seed: u64, settings: Settings, body: F) -> Seen<Fut::Output>
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    let budget = Budget { stuck_after: Duration::from_secs(7200), ..Budget::default() };
    let builder = Sim::builder().leaks(LeakPolicy::Fail).budget(budget);
    let builder = if seed == 0 { builder.tape(&Tape::default()) } else { builder.seed(seed) };
    let mut sim = builder.build();
    let (events, value) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(None)));
    let (seen, slot) = (Rc::clone(&events), Rc::clone(&value));
    sim.fold::<ControllerEvent, _>("seen", (), move |(), at, event| {
        seen.borrow_mut().push((at.since_start(), event.clone()));
        Ok(())
    });
    let observed = install_with(&mut sim, settings);
    sim.run(async move {
        let value = body().await;
        *slot.borrow_mut() = Some(value);
    });
    let run = sim.finish();
    Seen { value: value.take(), events: events.take(), end: run.end, fold: observed.properties() }
}

/// A controller that runs in a task of its own.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) token: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

/// Runs it; at the stop everything is dropped.
pub(crate) fn start(builder: Builder) -> Running {
    start_to(builder, Shutdown::Drop)
}

pub(crate) fn start_to(builder: Builder, shutdown: Shutdown) -> Running {
    let (controller, handle) = builder.build();
    let token = CancellationToken::new();
    let task = spawn_named("controller", controller.run(token.clone(), shutdown));
    Running { handle, token, task }
}

impl Running {
    pub(crate) async fn stop(self) -> Result<(), RunError> {
        self.token.cancel();
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Result<(), RunError> {
        self.task.await.expect("the task of a controller neither panics nor is aborted")
    }
}

/// Lets everything happen that waits for no timer.
pub(crate) async fn settle() {
    sleep(ms(1)).await;
}
