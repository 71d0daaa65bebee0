//! What leaders do and why, as events for stories and for the rules of this workload. Plain data.

use crate::trace::{Record, Value};
use std::sync::Arc;

/// Something that a host did that leads, or wants to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicasEvent {
    /// A host took the lease.
    Leads {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
        /// Why it could.
        because: &'static str,
    },
    /// A host leads no more, by its own account: it tells its run to end.
    StepsDown {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
        /// Why.
        because: &'static str,
    },
    /// The controller of an epoch begins to run.
    RunBegan {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
    },
    /// The controller of an epoch has ended.
    RunEnded {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
    },
    /// A host hears that the run of its epoch has ended.
    ExitHeard {
        /// The host.
        host: Arc<str>,
        /// The epoch that it leads in.
        epoch: u64,
    },
    /// A leader goes to write something, as its view has it.
    Decides {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
        /// What it does.
        what: &'static str,
        /// To which entry.
        entry: Arc<str>,
        /// Why.
        because: Arc<str>,
    },
    /// A write was refused as the epoch is not the writer's any more.
    FencedOff {
        /// The host.
        host: Arc<str>,
        /// Its epoch.
        epoch: u64,
    },
}

impl Record for ReplicasEvent {
    fn name(&self) -> &'static str {
        match self {
            ReplicasEvent::Leads { .. } => "replicas.leads",
            ReplicasEvent::StepsDown { .. } => "replicas.steps-down",
            ReplicasEvent::RunBegan { .. } => "replicas.run-began",
            ReplicasEvent::RunEnded { .. } => "replicas.run-ended",
            ReplicasEvent::ExitHeard { .. } => "replicas.exit-heard",
            ReplicasEvent::Decides { .. } => "replicas.decides",
            ReplicasEvent::FencedOff { .. } => "replicas.fenced-off",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let (ReplicasEvent::Leads { host, epoch, .. }
        | ReplicasEvent::StepsDown { host, epoch, .. }
        | ReplicasEvent::RunBegan { host, epoch }
        | ReplicasEvent::RunEnded { host, epoch }
        | ReplicasEvent::ExitHeard { host, epoch }
        | ReplicasEvent::Decides { host, epoch, .. }
        | ReplicasEvent::FencedOff { host, epoch }) = self;
        visit("host", Value::Str(host));
        visit("epoch", Value::U64(*epoch));
        match self {
            ReplicasEvent::Leads { because, .. } | ReplicasEvent::StepsDown { because, .. } => {
                visit("because", Value::Str(because));
            }
            ReplicasEvent::Decides { what, entry, because, .. } => {
                visit("what", Value::Str(what));
                visit("entry", Value::Str(entry));
                visit("because", Value::Str(because));
            }
            ReplicasEvent::RunBegan { .. }
            | ReplicasEvent::RunEnded { .. }
            | ReplicasEvent::ExitHeard { .. }
            | ReplicasEvent::FencedOff { .. } => {}
        }
    }
}
