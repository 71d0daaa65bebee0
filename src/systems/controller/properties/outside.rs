//! What controllers do as seen from the world outside: who is behind, who runs too often. Separate because it needs
//! facts of a workload, or speaks of many runs; it must not know queues.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::{Fact, Settings, Violation, broken, nanos};
use crate::systems::controller::record::ControllerEvent;
use crate::trace::text::time;

type Key = Arc<str>;

/// The world outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Outside {
    /// The latest version of each entry, and since when.
    latest: BTreeMap<Key, (u64, u64)>,
    /// The entries of these that are deleted.
    gone: BTreeSet<Key>,
    /// What the last successful reconcile of each entry read.
    seen: BTreeMap<Key, u64>,
    /// What a reconcile under way has read.
    reading: BTreeMap<Key, u64>,
    /// When each key was reconciled of late, and when something changed outside.
    reconciles: BTreeMap<Key, VecDeque<u64>>,
    changes: VecDeque<u64>,
    /// Reconciles since the last change outside; of it only those that no deferral and no trigger brought about.
    settling: u32,
    excused: BTreeSet<Key>,
    has_facts: bool,
}

/// An entry whose latest version no successful reconcile has read.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    key: Key,
    latest: u64,
    seen: Option<u64>,
    pub(super) since_ns: u64,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Behind { key, latest, seen, since_ns } = self;
        write!(f, "{key} is at version {latest} since {}, ", time(*since_ns))?;
        match seen {
            None => write!(f, "and was never reconciled"),
            Some(seen) => write!(f, "and was last reconciled at {seen}"),
        }
    }
}

impl Outside {
    pub(super) fn observe(
        &mut self,
        at_ns: u64,
        event: &ControllerEvent,
        settings: &Settings,
    ) -> Result<(), Violation> {
        match event {
            ControllerEvent::RunStarted { .. } => {
                // Nothing in the store leads it to what is gone.
                for key in std::mem::take(&mut self.gone) {
                    self.latest.remove(&key);
                }
                self.changed(at_ns, settings);
            }
            // It shows every entry again, once; how often it is opened is no excuse for more.
            ControllerEvent::SubscriptionOpened { .. } => {
                let keys = u32::try_from(self.reconciles.len()).unwrap_or(u32::MAX);
                self.settling = self.settling.saturating_sub(keys);
            }
            ControllerEvent::TriggerFired { key, .. } | ControllerEvent::Fired { key, .. } => {
                self.excused.insert(Arc::clone(key));
            }
            ControllerEvent::Reconcile { key, .. } => {
                self.reading.remove(key);
                self.storm(at_ns, key, settings)?;
                return self.quiescence(key, settings);
            }
            ControllerEvent::Reconciled { key, outcome, .. } => {
                let read = self.reading.remove(key);
                if let Some(version) = read.filter(|_| matches!(*outcome, "done" | "requeue-after")) {
                    self.seen.insert(Arc::clone(key), version);
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn hear(&mut self, at_ns: u64, fact: &Fact) {
        self.has_facts = true;
        match fact {
            Fact::Changed { key, version } => {
                self.gone.remove(key);
                self.latest.insert(Arc::clone(key), (*version, at_ns));
                self.changes.push_back(at_ns);
                self.settling = 0;
            }
            Fact::Written { key, version } => {
                self.gone.remove(key);
                self.latest.insert(Arc::clone(key), (*version, at_ns));
            }
            Fact::Gone { key } => {
                self.gone.insert(Arc::clone(key));
            }
            Fact::Restored => {
                self.latest.clear();
                self.seen.clear();
                self.reading.clear();
                self.gone.clear();
            }
            Fact::Read { key, version } => {
                self.reading.insert(Arc::clone(key), *version);
            }
        }
    }

    /// The entries that are behind, by key.
    pub(super) fn behind(&self) -> impl Iterator<Item = (&Key, Behind)> {
        self.latest.iter().filter_map(|(key, (latest, since_ns))| {
            let seen = self.seen.get(key).copied();
            let behind = Behind { key: Arc::clone(key), latest: *latest, seen, since_ns: *since_ns };
            (seen != Some(*latest)).then_some((key, behind))
        })
    }

    fn changed(&mut self, at_ns: u64, settings: &Settings) {
        self.settling = 0;
        self.changes.push_back(at_ns);
        forget_before(&mut self.changes, at_ns, settings);
    }

    fn storm(&mut self, at_ns: u64, key: &Key, settings: &Settings) -> Result<(), Violation> {
        forget_before(&mut self.changes, at_ns, settings);
        let times = self.reconciles.entry(Arc::clone(key)).or_default();
        times.push_back(at_ns);
        forget_before(times, at_ns, settings);
        let thresholds = &settings.thresholds;
        let changes = self.changes.len() as u64;
        let (count, most) = (times.len() as u64, u64::from(thresholds.storm_reconciles) * (1 + changes));
        if count <= most {
            return Ok(());
        }
        let window = thresholds.storm_window;
        broken(
            "requeue-storm",
            format!("{key} was reconciled {count} times in {window:?}, with {changes} changes outside"),
        )
    }

    fn quiescence(&mut self, key: &Key, settings: &Settings) -> Result<(), Violation> {
        if self.excused.remove(key) {
            return Ok(());
        }
        self.settling = self.settling.saturating_add(1);
        let keys = self.reconciles.len() as u64;
        let most = keys * u64::from(settings.thresholds.settling_reconciles);
        if !self.has_facts || u64::from(self.settling) <= most {
            return Ok(());
        }
        let count = self.settling;
        broken("quiescence", format!("{count} reconciles of {keys} keys since the last change outside"))
    }
}

fn forget_before(times: &mut VecDeque<u64>, at_ns: u64, settings: &Settings) {
    let from_ns = at_ns.saturating_sub(nanos(settings.thresholds.storm_window));
    while times.front().is_some_and(|time_ns| *time_ns < from_ns) {
        times.pop_front();
    }
}
