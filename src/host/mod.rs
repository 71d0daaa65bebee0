//! Hosts from inside a simulation: the verbs that harm and heal them, and what survives their crashes.
//!
//! The same harm comes by itself from a plan of faults; a test that wants it at one place says it here. It knows no
//! store and no system. Outside a simulation the verbs panic: there are no hosts there.

mod disk;

pub use disk::{Disk, DiskError};

pub use crate::runtime::HostChange;

use crate::emit;
use crate::runtime::current;
use crate::runtime::world::World;
use crate::trace::{Record, Value};
use std::sync::Arc;
use std::time::Duration;

/// A host crashed, started again, stood still, went on, or has a clock that went wrong: for properties and stories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEvent {
    /// Its name.
    pub host: Arc<str>,
    /// What befell it.
    pub change: HostChange,
}

impl Record for HostEvent {
    fn name(&self) -> &'static str {
        match self.change {
            HostChange::Crashed => "host.crashed",
            HostChange::Started => "host.started",
            HostChange::Paused => "host.paused",
            HostChange::Resumed => "host.resumed",
            HostChange::ClockJumped => "host.clock-jumped",
            HostChange::ClockDrifts => "host.clock-drifts",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        visit("host", Value::Str(&self.host));
    }
}

/// Emits what befell hosts since the last call.
pub(crate) fn tell_news() {
    let news = current::with(World::take_host_news);
    news.into_iter().for_each(|(host, change)| emit(HostEvent { host, change }));
}

/// The name of the host that the running task is on; none outside a simulation.
pub fn current() -> Option<Arc<str>> {
    current::try_with(|world| {
        let host = usize::from(world.tasks.peek(world.running?).host);
        world.hosts.get(host).map(|host| host.name.clone())
    })
    .flatten()
}

/// Crashes a host: its tasks are dropped and what they held is lost. It stays down until [`restart`], or until the quiet
/// phase begins. A host that is down stays so.
///
/// A task that crashes its own host goes on to its next await and no further; nothing that it does until then has an
/// effect.
///
/// # Panics
/// When no host has that name, or outside a simulation.
pub fn crash(host: &str) {
    with(host, |world, host| world.crash(host, None));
}

/// As [`crash`]; the host starts again after this virtual time.
///
/// # Panics
/// As [`crash`].
pub fn crash_for(host: &str, down: Duration) {
    with(host, |world, host| world.crash(host, Some(world.now.saturating_add(nanos(down)))));
}

/// Starts a host that is down: its mains that serve run again over what is durable. One that is up goes on as it is.
///
/// # Panics
/// As [`crash`].
pub fn restart(host: &str) {
    with(host, World::restart);
}

/// Lets a host stand still: its tasks take no turns, and its timers fire when it goes on. It does so until [`resume`], or
/// until the quiet phase begins.
///
/// # Panics
/// As [`crash`].
pub fn pause(host: &str) {
    with(host, |world, host| world.pause(host, None));
}

/// As [`pause`]; the host goes on after this virtual time.
///
/// # Panics
/// As [`crash`].
pub fn pause_for(host: &str, still: Duration) {
    with(host, |world, host| world.pause(host, Some(world.now.saturating_add(nanos(still)))));
}

/// Lets a host go on that stands still.
///
/// # Panics
/// As [`crash`].
pub fn resume(host: &str) {
    with(host, World::resume);
}

/// Moves the wall clock of a host by so many nanoseconds, back if negative. Its timers do not hear of it.
///
/// # Panics
/// As [`crash`].
pub fn jump_clock(host: &str, nanos: i64) {
    with(host, |world, host| world.jump_clock(host, nanos));
}

/// Lets the clock of a host, and with it its timers, run too fast by so many parts in a million from now on, or too slow
/// if negative; by half at most. The quiet phase ends it; what was gained or lost stays.
///
/// # Panics
/// As [`crash`].
pub fn drift_clock(host: &str, ppm: i32) {
    with(host, |world, host| world.drift_clock(host, ppm));
}

/// How often a host has started, from 1.
///
/// # Panics
/// As [`crash`].
pub fn incarnation(host: &str) -> u32 {
    current::with(|world| match world.find_host(host) {
        Some(host) => world.machine(host).incarnation,
        None => unknown(world, host),
    })
}

fn with(host: &str, verb: impl FnOnce(&mut World, u16)) {
    current::with(|world| match world.find_host(host) {
        Some(_) if world.is_deaf() => {}
        Some(host) => verb(world, host),
        None => unknown(world, host),
    });
}

fn unknown(world: &World, host: &str) -> ! {
    let known: Vec<&str> = world.hosts.iter().map(|host| &*host.name).collect();
    panic!("there is no host {host:?} in this simulation, only {}", known.join(", "))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
