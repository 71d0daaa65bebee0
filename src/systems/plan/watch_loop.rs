//! When the controller looks at which instance: after an event, when it said so itself, after a failure, and once in a
//! while. Separate from what it does there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::{Entry, Event, Key, Payload, Watch, WatchError, WatchFrom};
use crate::time::{Duration, Instant, sleep, sleep_until};

use super::controller::PlanController;
use super::instance::INSTANCE;
use super::task::is_pipe_pod;

/// The longest delay after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What is known of each instance.
#[derive(Default)]
struct Agenda {
    /// When it is looked at next.
    due: BTreeMap<String, Instant>,
    /// What was asked of it when it was heard of last.
    asked: BTreeMap<String, String>,
    /// The instance that it is a part of.
    parents: BTreeMap<String, String>,
    /// How often in a row it failed.
    failures: BTreeMap<String, u32>,
}

impl PlanController {
    /// Carries on the plans of all instances until its future is dropped.
    pub async fn run(&self) {
        let mut agenda = Agenda::default();
        loop {
            let opened = self.client.watch(INSTANCE, WatchFrom::Snapshot).await;
            let Ok(mut watch) = opened else {
                sleep(self.options.backoff).await;
                continue;
            };
            // The watch ends with an error that asks for a new one.
            let _ = self.serve(&mut watch, &mut agenda).await;
        }
    }

    async fn serve(&self, watch: &mut Watch, agenda: &mut Agenda) -> Result<(), WatchError> {
        let mut resync = Instant::now() + self.options.resync;
        loop {
            let next = agenda.due.values().min().copied().unwrap_or(resync).min(resync);
            if next <= Instant::now() {
                match agenda.next_due() {
                    Some(name) => self.look_at(&name, agenda).await,
                    None => {
                        agenda.all_due();
                        resync = Instant::now() + self.options.resync;
                    }
                }
                continue;
            }
            crate::select! {
                biased;
                event = watch.next() => agenda.hear(&event?),
                () = sleep_until(next) => {}
            }
        }
    }

    async fn look_at(&self, name: &str, agenda: &mut Agenda) {
        let again = match self.reconcile(name).await {
            Ok(again) => {
                agenda.failures.remove(name);
                again
            }
            Err(_) => {
                let failures = agenda.failures.entry(name.to_owned()).or_insert(0);
                *failures += 1;
                let doubled = 1 << (*failures - 1).min(10);
                Some((self.options.backoff * doubled).min(BACKOFF_MAX))
            }
        };
        if let Some(again) = again {
            agenda.due.insert(name.to_owned(), Instant::now() + again);
        }
    }
}

impl Agenda {
    /// Takes the instance that is due first, if one is.
    fn next_due(&mut self) -> Option<String> {
        let now = Instant::now();
        let (name, _) = self.due.iter().filter(|(_, due)| **due <= now).min_by_key(|(_, due)| **due)?;
        let name = name.clone();
        self.due.remove(&name);
        Some(name)
    }

    fn all_due(&mut self) {
        let now = Instant::now();
        let waiting: Vec<String> =
            self.asked.keys().filter(|name| !self.due.contains_key(*name)).cloned().collect();
        self.due.extend(waiting.into_iter().map(|name| (name, now)));
    }

    /// An instance of which something else is asked than before is due at once, and so is the one that it is a part of.
    fn hear(&mut self, event: &Event) {
        let Payload::Batch(changes) = &event.payload else { return };
        for change in changes.iter().filter(|change| is_heard(&change.key, change.value.is_none())) {
            let name = change.key.name.to_string();
            let Some(entry) = &change.value else {
                self.asked.remove(&name);
                self.due.remove(&name);
                self.parent_due(&name);
                self.parents.remove(&name);
                continue;
            };
            let asked = asked(entry);
            if self.asked.get(&name) == Some(&asked) {
                continue;
            }
            match text(entry, "/spec/parent") {
                "" => self.parents.remove(&name),
                parent => self.parents.insert(name.clone(), parent.to_owned()),
            };
            self.parent_due(&name);
            self.due.insert(name.clone(), Instant::now());
            self.asked.insert(name, asked);
        }
    }

    fn parent_due(&mut self, name: &str) {
        let parent = self.parents.get(name).filter(|parent| self.asked.contains_key(*parent));
        if let Some(parent) = parent.cloned() {
            self.due.insert(parent, Instant::now());
        }
    }
}

/// Whether a change makes the controller look: all do but the deletion of a pipe's pod, which the pipe itself asked for.
pub fn is_heard(key: &Key, is_deletion: bool) -> bool {
    !(is_deletion && is_pipe_pod(key))
}

/// What is asked of an instance, as far as it makes the controller look at once.
fn asked(entry: &Entry) -> String {
    let is_deleting = entry.value.pointer("/metadata/deleting").and_then(Value::as_bool) == Some(true);
    let (uid, version) = (text(entry, "/spec/plan_execution/uid"), text(entry, "/spec/operator_version"));
    format!("{uid} {version} {is_deleting}")
}

fn text<'e>(entry: &'e Entry, pointer: &str) -> &'e str {
    entry.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
