//! Sim: one simulated world, driven by hand or to its end. A value; two may live in one test.

mod builder;
mod converge;
mod drive;
mod host;
mod run;

pub use builder::SimBuilder;
pub use converge::{Differential, Reference};
pub use host::{Host, HostBuilder, MainResult};
pub use run::Run;

pub use crate::runtime::world::Keep;

use crate::choice::fault::FaultPlan;
use crate::property::{Answer, Predicate, When};
use crate::runtime::current;
use crate::runtime::step;
use crate::runtime::world::{Observer, World};
use crate::runtime::{Budget, End};
use crate::store::Store;
use crate::time::Instant;
use crate::trace::Record;
use std::any::Any;
use std::future::Future;
use std::sync::{Arc, Mutex};
#[cfg(feature = "tokio")]
use std::task::Poll;
use std::task::{Context, Waker};
use std::time::Duration;

/// A name, and how many there are.
type Leftover = (&'static str, Box<dyn FnMut() -> u64>);

/// One simulated world: clock, tasks, hosts, faults, properties, trace.
///
/// Not `Send`: a run is one thread. Dropping it drops all its tasks, in spawn order.
///
/// Inside a tokio task it is best driven with the cargo feature `tokio`, which keeps it out of the task's cooperative
/// budget. Without the feature the functions that drive it panic when the run has spent that budget.
pub struct Sim {
    world: Option<Box<World>>,
    seed: u64,
    predicates: Vec<Predicate>,
    /// What the program counts at the end itself.
    leftovers: Vec<Leftover>,
    /// Set when the run has ended; nothing moves any more.
    end: Option<End>,
    /// When the workload was over: from then on the run only settles.
    over_since: Option<u64>,
}

impl Sim {
    /// A world under the random walk of `seed`, without faults.
    pub fn new(seed: u64) -> Sim {
        SimBuilder::new().seed(seed).build()
    }

    /// A world made to order.
    pub fn builder() -> SimBuilder {
        SimBuilder::new()
    }

    pub(crate) fn with_world(world: Box<World>, seed: u64) -> Sim {
        crate::runtime::panics::install();
        Sim {
            world: Some(world),
            seed,
            predicates: Vec::new(),
            leftovers: Vec::new(),
            end: None,
            over_since: None,
        }
    }

    // Setting up.

    /// The host of that name; a new one if there is none.
    pub fn host(&mut self, name: &str) -> HostBuilder<'_> {
        HostBuilder::new(self.world(), name)
    }

    /// The store of this simulation, as its server sees it: without faults. Hosts call it by [`Host::store`].
    pub fn store(&mut self) -> Store {
        Store::of(self.world())
    }

    /// Runs a main on the host `main`: the workload of a program that needs one host only.
    pub fn run<F>(&mut self, main: F)
    where
        F: Future + 'static,
        F::Output: MainResult,
    {
        self.host("main").run_future(main);
    }

    /// What must hold after every step.
    pub fn always<A: Answer>(&mut self, property: &'static str, holds: impl FnMut() -> A + 'static) {
        self.predicate(property, When::Always, &[], holds);
    }

    /// What must hold after every step that writes one of the objects or emits one of the records in `reads`.
    pub fn always_reading<A: Answer>(
        &mut self,
        property: &'static str,
        reads: &[&str],
        holds: impl FnMut() -> A + 'static,
    ) {
        self.predicate(property, When::Always, reads, holds);
    }

    /// What must hold once, by the end of the quiet phase.
    pub fn eventually<A: Answer>(&mut self, property: &'static str, holds: impl FnMut() -> A + 'static) {
        self.predicate(property, When::Eventually, &[], holds);
    }

    /// What must come to hold in the quiet phase, and stay so to its end.
    pub fn converges<A: Answer>(&mut self, property: &'static str, holds: impl FnMut() -> A + 'static) {
        self.predicate(property, When::Converges, &[], holds);
    }

    /// What must hold at some step of some run of a sweep.
    pub fn sometimes<A: Answer>(&mut self, property: &'static str, holds: impl FnMut() -> A + 'static) {
        self.world().coverage.entry(property).or_insert(0);
        self.predicate(property, When::Sometimes, &[], holds);
    }

    /// Declares a name that [`crate::property::reachable`] or [`crate::property::sometimes`] must report in a sweep.
    pub fn reachable(&mut self, property: &'static str) {
        self.world().coverage.entry(property).or_insert(0);
    }

    /// Something that a task may leave behind when it is cancelled and that only the program can count, as the keys of a
    /// queue that are being worked on. A sweep over cancellations ([`crate::Check::cancellations`]) counts it at the end of
    /// each run and compares it with the fault-free one; elsewhere it is not asked for.
    pub fn leftover(&mut self, what: &'static str, count: impl FnMut() -> u64 + 'static) {
        self.leftovers.push((what, Box::new(count)));
    }

    /// A property as a fold over emitted records of type `R`; an error breaks it.
    pub fn fold<R: Record, S: 'static>(
        &mut self,
        property: &'static str,
        mut state: S,
        mut fold: impl FnMut(&mut S, Instant, &R) -> Result<(), String> + 'static,
    ) {
        let observe = Box::new(move |record: &dyn Any, now: u64| match record.downcast_ref::<R>() {
            Some(record) => fold(&mut state, Instant::from_nanos(now), record),
            None => Ok(()),
        });
        self.world().observers.push(Observer { property, observe });
    }

    fn predicate<A: Answer>(
        &mut self,
        property: &'static str,
        when: When,
        reads: &[&str],
        holds: impl FnMut() -> A + 'static,
    ) {
        self.world().watches |= !reads.is_empty();
        self.predicates.push(Predicate::new(property, when, reads, holds));
    }

    /// Says who runs to a watchdog on another thread, in a run that keeps names.
    pub(crate) fn watch(&mut self, watch: Arc<Mutex<String>>) {
        self.world().watch = Some(watch);
    }

    // Harm by hand: the verbs of [`crate::host`], done at once.

    /// Crashes a host: see [`crate::host::crash`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn crash(&mut self, host: &str) {
        self.verb(|| crate::host::crash(host));
    }

    /// Starts a host that is down: see [`crate::host::restart`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn restart(&mut self, host: &str) {
        self.verb(|| crate::host::restart(host));
    }

    /// Lets a host stand still: see [`crate::host::pause`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn pause(&mut self, host: &str) {
        self.verb(|| crate::host::pause(host));
    }

    /// Lets a host go on: see [`crate::host::resume`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn resume(&mut self, host: &str) {
        self.verb(|| crate::host::resume(host));
    }

    /// Moves the wall clock of a host: see [`crate::host::jump_clock`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn jump_clock(&mut self, host: &str, nanos: i64) {
        self.verb(|| crate::host::jump_clock(host, nanos));
    }

    /// Lets the clock of a host drift: see [`crate::host::drift_clock`].
    ///
    /// # Panics
    /// When no host has that name.
    pub fn drift_clock(&mut self, host: &str, ppm: i32) {
        self.verb(|| crate::host::drift_clock(host, ppm));
    }

    fn verb(&mut self, verb: impl FnOnce()) {
        self.entered(|_| {
            verb();
            crate::host::tell_news();
            step::settle_hosts();
        });
    }

    // Driving by hand.

    /// Takes one step: a turn of a task, or a jump of the clock. False when none is left to take.
    pub fn step(&mut self) -> bool {
        self.drive(drive::Limit::Steps(1))
    }

    /// Runs for a virtual duration, or to the end.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        self.drive(drive::Limit::Time(until.nanos()));
    }

    /// Runs until `condition` holds after a step; false when the run ends first.
    pub fn run_until(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        self.drive(drive::Limit::Condition(&mut condition))
    }

    /// Runs to the end; what the run was.
    pub fn finish(self) -> Run {
        self.into_run(|_| ())
    }

    // Looking.

    /// Virtual time.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.world_ref().now)
    }

    /// How the run ended, if it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The seed it was made with; 0 when its source is no seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What the run may cost.
    pub fn budget(&self) -> Budget {
        self.world_ref().budget
    }

    /// The plan of faults.
    pub fn faults(&self) -> &FaultPlan {
        &self.world_ref().plan
    }

    fn world(&mut self) -> &mut World {
        self.world.as_deref_mut().expect("the world is here while the simulation does not run")
    }

    fn world_ref(&self) -> &World {
        self.world.as_deref().expect("the world is here while the simulation does not run")
    }

    /// Runs `f` with the world entered.
    fn entered<R>(&mut self, f: impl FnOnce(&mut Sim) -> R) -> R {
        let world = self.world.take().expect("a simulation does not run inside itself");
        if let Some(leftovers) = current::enter(world) {
            leftovers.into_iter().for_each(step::discard);
        }
        let result = crate::runtime::panics::catch(|| unbudgeted(|| f(self)));
        self.world = Some(current::leave());
        match result {
            Ok(result) => result,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    }
}

/// Calls `f` outside the budget of a tokio task: after 128 operations it would make channels pend that are ready.
#[cfg(feature = "tokio")]
fn unbudgeted<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let call = std::future::poll_fn(|_| f.take().map_or(Poll::Pending, |f| Poll::Ready(f())));
    let mut call = std::pin::pin!(tokio::task::coop::unconstrained(call));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("a call that was not made yet is ready"),
    }
}

#[cfg(feature = "tokio")]
fn refuse_a_spent_budget() {}

#[cfg(not(feature = "tokio"))]
fn unbudgeted<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Without the feature nothing leads out of the budget of a tokio task in whose poll this runs; but whether it is spent
/// shows, for then a semaphore pends even when it is asked for nothing. Nothing that such a run said would be true.
#[cfg(not(feature = "tokio"))]
fn refuse_a_spent_budget() {
    let semaphore = tokio::sync::Semaphore::const_new(0);
    let acquired = std::pin::pin!(semaphore.acquire_many(0)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(
        acquired.is_ready(),
        "a simulation was driven inside a tokio task and spent the task's budget of 128 operations, after which \
         tokio's channels and locks pend though they are ready: turn on fatum's cargo feature `tokio`, or drive it in \
         `tokio::task::unconstrained`, `spawn_blocking` or a thread of its own"
    );
}

impl Drop for Sim {
    fn drop(&mut self) {
        if self.world.is_none() {
            return;
        }
        if !self.world_ref().closing {
            self.entered(|_| step::close());
        }
        if let Some(world) = self.world.take() {
            // Closures and wakers of the user go with it; no world is borrowed.
            let _ = crate::runtime::panics::catch(|| world.retire());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }

    #[test]
    fn a_world_is_no_more_though_what_it_held_panics_as_it_is_dropped() {
        let mut sim = Sim::new(1);
        let held = Panics;
        sim.host("h").daemon().serve(move |_host| {
            let _ = &held;
            async {}
        });
        sim.run(async {});
        drop(sim.finish());
        assert_eq!(current::live_worlds(), 0);
    }
}
