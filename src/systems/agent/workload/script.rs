//! What the user does: tasks come and go, in acts that each make one thing hard. It talks to the manager, without
//! faults, and waits where the outcome would otherwise depend on how fast the nodes are.

use super::super::container::Image;
use super::super::dependencies::{Dependency, DependencyKind};
use super::super::dispatcher::{Manager, STATUS};
use super::super::state::{DesiredState, TaskState};
use super::super::task::{TaskId, TaskSpec};
use crate::span::Span;
use crate::store::Store;
use crate::time::{Duration, sleep};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The host of the user.
pub(super) const USER: &str = "user";
/// The kind of the entries that say what became of a task that was deleted.
pub(super) const OUTCOME: &str = "outcome";
/// The kind of the entries that say what the user has done.
const NOTE: &str = "note";
/// How often the user looks whether a task has come so far. It is also the time that whatever is held until some deadline
/// has passed is held at most, so that it must be short.
const LOOK: Duration = Duration::from_secs(1);
/// How long a server takes to be ready, and some more.
const STAGE: Duration = Duration::from_secs(3);
/// How long the user waits for a task before going on all the same.
const PATIENCE: Duration = Duration::from_secs(600);

/// One thing that the user does, with a task of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A server runs, is stopped, and deleted.
    Run,
    /// A server is to run on.
    Keep,
    /// A job runs to its end, and is deleted.
    Finish,
    /// A job that fails.
    Fail,
    /// A server whose health check begins to fail.
    Sicken,
    /// A task whose image is nowhere.
    Reject,
    /// A task that no executor can run is wanted, and soon not any more.
    Unsupported,
    /// A server is deleted while it runs.
    Forget,
    /// A server is deleted while it is being prepared.
    Abort,
    /// A server is deleted as soon as it is wanted.
    Flash,
    /// A server is made ready and not started, and deleted after a while, whatever has become of it.
    Stage,
    /// A server gets a label, and is stopped.
    Label,
    /// A server gets one label, and another one, and is stopped.
    Relabel,
    /// A server is to be removed while it runs, and deleted when it has stopped.
    Drain,
    /// A server that sees a secret is deleted, and another one made that sees it too.
    Replace,
    /// Two servers see one secret, and the second a clone that was made for it.
    Share,
}

impl Act {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// How containers of the images behave that the acts use.
pub(super) fn images(given: &BTreeMap<String, Image>) -> BTreeMap<String, Image> {
    let span = |millis| Span(Duration::from_millis(millis));
    let server = Image { pull: span(2000), start: span(500), stop: span(1000), ..Image::default() };
    let job = Image { pull: span(1000), start: span(500), run: Some(span(3000)), ..Image::default() };
    let mut images = BTreeMap::from([
        ("failing".to_owned(), Image { exit: 3, ..job.clone() }),
        ("sickly".to_owned(), Image { unhealthy: Some(span(3000)), ..server.clone() }),
        ("nowhere".to_owned(), Image { missing: true, ..server.clone() }),
        ("exotic".to_owned(), Image { unsupported: true, ..server.clone() }),
        ("server".to_owned(), server),
        ("job".to_owned(), job),
    ]);
    images.extend(given.clone());
    images
}

/// The user.
pub(super) struct User {
    pub(super) store: Store,
    pub(super) manager: Manager,
    pub(super) nodes: Vec<String>,
    pub(super) rest: Duration,
    pub(super) notes: bool,
}

/// A task of the user.
struct Own<'a> {
    user: &'a User,
    id: TaskId,
}

impl User {
    /// Does one act after the other.
    pub(super) async fn play(&self, acts: &[Act]) {
        for (number, act) in acts.iter().enumerate() {
            let node = &self.nodes[number % self.nodes.len()];
            self.act(*act, node, &format!("{}-{}", act.name(), number + 1)).await;
            if self.notes {
                self.store.put((NOTE, act.name()), "done").expect("a note is plain data");
            }
        }
    }

    async fn act(&self, act: Act, node: &str, name: &str) {
        match act {
            Act::Run => self.run(node, name).await,
            Act::Keep => self.keep(node, name).await,
            Act::Finish => self.to_its_end(node, name, "job").await,
            Act::Fail => self.to_its_end(node, name, "failing").await,
            Act::Sicken => self.to_its_end(node, name, "sickly").await,
            Act::Reject => self.to_its_end(node, name, "nowhere").await,
            Act::Unsupported => self.to_its_end(node, name, "exotic").await,
            Act::Forget => self.delete_at(node, name, TaskState::Running).await,
            Act::Abort => self.delete_at(node, name, TaskState::Preparing).await,
            Act::Flash => self.flash(node, name).await,
            Act::Stage => self.stage(node, name).await,
            Act::Label => self.relabel(node, name, &["blue"]).await,
            Act::Relabel => self.relabel(node, name, &["blue", "green"]).await,
            Act::Drain => self.drain(node, name).await,
            Act::Replace => self.replace(node, name).await,
            Act::Share => self.share(node, name).await,
        }
    }

    async fn run(&self, node: &str, name: &str) {
        let task = self.create(node, name, "server", &[]);
        task.comes_to(TaskState::Running).await;
        self.rest().await;
        task.ends_as(DesiredState::SHUTDOWN).await;
    }

    async fn keep(&self, node: &str, name: &str) {
        let task = self.create(node, name, "server", &[]);
        task.comes_to(TaskState::Running).await;
    }

    async fn to_its_end(&self, node: &str, name: &str, image: &str) {
        let task = self.create(node, name, image, &[]);
        task.comes_to(TaskState::Complete).await;
        self.rest().await;
        task.ends_as(DesiredState::SHUTDOWN).await;
    }

    async fn delete_at(&self, node: &str, name: &str, state: TaskState) {
        let task = self.create(node, name, "server", &[]);
        task.comes_to(state).await;
        self.manager.delete(&task.id);
        self.rest().await;
    }

    async fn flash(&self, node: &str, name: &str) {
        let task = self.create(node, name, "server", &[]);
        self.rest().await;
        self.manager.delete(&task.id);
        self.rest().await;
    }

    async fn stage(&self, node: &str, name: &str) {
        let task = self.create_desiring(node, name, ("server", TaskState::Ready), &[]);
        sleep(STAGE).await;
        self.manager.delete(&task.id);
        self.rest().await;
    }

    async fn relabel(&self, node: &str, name: &str, labels: &[&str]) {
        let task = self.create(node, name, "server", &[]);
        task.comes_to(TaskState::Running).await;
        for label in labels {
            self.manager.change(&task.id, |entry| {
                entry.spec.labels.insert((*label).to_owned());
            });
            self.rest().await;
        }
        task.ends_as(DesiredState::SHUTDOWN).await;
    }

    async fn drain(&self, node: &str, name: &str) {
        let task = self.create(node, name, "server", &[]);
        task.comes_to(TaskState::Running).await;
        task.ends_as(DesiredState::REMOVE).await;
    }

    async fn replace(&self, node: &str, name: &str) {
        let secret = format!("key-of-{name}");
        self.hold(&secret);
        let first = self.create(node, &format!("{name}-a"), "server", &[&secret]);
        first.comes_to(TaskState::Running).await;
        self.manager.delete(&first.id);
        self.rest().await;
        let second = self.create(node, &format!("{name}-b"), "server", &[&secret]);
        second.comes_to(TaskState::Running).await;
        second.ends_as(DesiredState::SHUTDOWN).await;
    }

    async fn share(&self, node: &str, name: &str) {
        let secret = format!("key-of-{name}");
        self.hold(&secret);
        self.hold(&format!("{secret}.{name}-b"));
        let tasks =
            ["a", "b"].map(|which| self.create(node, &format!("{name}-{which}"), "server", &[&secret]));
        for task in &tasks {
            task.comes_to(TaskState::Running).await;
        }
        for task in &tasks {
            task.ends_as(DesiredState::SHUTDOWN).await;
        }
    }

    // What the acts are made of.

    fn create(&self, node: &str, name: &str, image: &str, secrets: &[&str]) -> Own<'_> {
        self.create_desiring(node, name, (image, TaskState::Running), secrets)
    }

    fn create_desiring(
        &self,
        node: &str,
        name: &str,
        (image, desired): (&str, TaskState),
        secrets: &[&str],
    ) -> Own<'_> {
        let secrets = secrets.iter().map(|id| (*id).to_owned()).collect();
        let (labels, configs) = (BTreeSet::new(), BTreeSet::new());
        let spec = TaskSpec { image: image.to_owned(), labels, secrets, configs };
        let id = TaskId::from(name);
        self.manager.create(node, &id, spec, DesiredState::of(desired));
        Own { user: self, id }
    }

    fn hold(&self, id: &str) {
        let (kind, id, data) = (DependencyKind::Secret, id.to_owned(), "hush".to_owned());
        self.manager.hold(Dependency { kind, id, data });
    }

    async fn rest(&self) {
        sleep(self.rest).await;
    }
}

impl Own<'_> {
    /// Waits until the manager knows that it has come so far.
    async fn comes_to(&self, state: TaskState) {
        let mut left = PATIENCE;
        while self.user.manager.status(&self.id).is_none_or(|status| status.state < state) {
            let Some(rest) = left.checked_sub(LOOK) else { return };
            left = rest;
            sleep(LOOK).await;
        }
    }

    /// Has it stop, notes what became of it, and deletes it.
    async fn ends_as(&self, desired: DesiredState) {
        self.user.manager.desire(&self.id, desired);
        self.comes_to(TaskState::Complete).await;
        if let Some(status) = self.user.store.entry((STATUS, self.id.as_str())) {
            let outcome = (*status.value).clone();
            self.user.store.put((OUTCOME, self.id.as_str()), outcome).expect("a status is plain data");
        }
        self.user.manager.delete(&self.id);
        self.user.rest().await;
    }
}
