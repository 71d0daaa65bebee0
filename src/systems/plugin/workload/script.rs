//! What the users do: workflows are submitted, some are deleted, of some the control plane says first that they are over.
//! They write as the store's server, without faults.

use super::Plugins;
use crate::span::Span;
use crate::store::{Store, StoreError};
use crate::systems::plugin::outside::ControlPlane;
use crate::systems::plugin::status::{WORKFLOW, Workflow};
use crate::time::{Duration, Instant, sleep, sleep_until};
use serde::Deserialize;

/// How long the user waits for workflows to end before going on all the same.
const PATIENCE: Duration = Duration::from_secs(120);

/// When a workflow is submitted and deleted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Submission {
    /// Which.
    pub workflow: String,
    /// When it is submitted.
    #[serde(default)]
    pub at: Span,
    /// How long after that its deletion is asked for; never if left out.
    pub delete_after: Option<Span>,
    /// The control plane has ended it by then, and takes no more events of it.
    #[serde(default)]
    pub ended: bool,
}

/// The users.
pub(super) struct User {
    pub(super) store: Store,
    pub(super) control_plane: ControlPlane,
    pub(super) plugins: Plugins,
}

enum Act {
    Submit(usize),
    Delete { name: String, ended: bool },
}

impl Plugins {
    /// When a workflow is submitted and deleted.
    pub(super) fn submission(&self, name: &str) -> Submission {
        let found = self.submit.iter().find(|submission| submission.workflow == name).cloned();
        let (workflow, at) = (name.to_owned(), Span::default());
        found.unwrap_or(Submission { workflow, at, delete_after: None, ended: false })
    }
}

impl User {
    pub(super) async fn play(&self) -> Result<(), StoreError> {
        let begin = Instant::now();
        for (at, act) in self.acts() {
            sleep_until(begin + at).await;
            match act {
                Act::Submit(at) => {
                    let spec = self.plugins.workflows[at].clone();
                    let name = spec.name.clone();
                    self.store.create((WORKFLOW, name.as_str()), Workflow::new(spec))?;
                }
                Act::Delete { name, ended } => self.delete(&name, ended)?,
            }
        }
        self.wait().await;
        Ok(())
    }

    fn acts(&self) -> Vec<(Duration, Act)> {
        let mut acts = Vec::new();
        for (at, workflow) in self.plugins.workflows.iter().enumerate() {
            let submission = self.plugins.submission(&workflow.name);
            acts.push((submission.at.0, Act::Submit(at)));
            if let Some(after) = submission.delete_after {
                let (name, ended) = (workflow.name.clone(), submission.ended);
                acts.push((submission.at.0 + after.0, Act::Delete { name, ended }));
            }
        }
        acts.sort_by_key(|(at, _)| *at);
        acts
    }

    /// Asks for the deletion of a workflow; one that nobody holds is gone at once.
    fn delete(&self, name: &str, ended: bool) -> Result<(), StoreError> {
        let Some(entry) = self.store.entry((WORKFLOW, name)) else { return Ok(()) };
        let mut workflow: Workflow = entry.parse().expect("workflows are stored as workflows");
        if ended {
            self.control_plane.end(name);
        }
        if !workflow.metadata.is_held() {
            return self.store.delete((WORKFLOW, name)).map(drop);
        }
        workflow.metadata.deleting = true;
        self.store.update((WORKFLOW, name), entry.version, workflow).map(drop)
    }

    async fn wait(&self) {
        let mut left = PATIENCE;
        while !super::oracle::unmet(&self.plugins, &self.store).is_empty() && !left.is_zero() {
            left = left.saturating_sub(Duration::from_secs(1));
            sleep(Duration::from_secs(1)).await;
        }
    }
}
