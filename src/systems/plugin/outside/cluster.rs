//! A cluster in memory: objects that run jobs, a quota, finalizers. It outlives the engine; jobs end by themselves, and
//! whoever owns the object is told. It must not know executors.

use super::{Files, after, before, leave, look};
use crate::emit;
use crate::fault::failpoint_on;
use crate::sync::Notify;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::enqueue::EnqueueOwner;
use crate::systems::plugin::error::SystemError;
use crate::systems::plugin::model::PhaseVersion;
use crate::systems::plugin::record::{Made, PluginEvent};
use crate::systems::plugin::workflow::Ends;
use crate::task::JoinSet;
use crate::time::{Duration, Instant, sleep_until};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an object runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    /// The workflow that owns it.
    pub owner: String,
    /// How long it takes.
    pub takes: Duration,
    /// How it ends.
    pub ends: Ends,
    /// Where it leaves its files.
    pub data_dir: String,
    /// The variables that it puts out.
    pub outputs: Vec<String>,
}

/// How far an object has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectPhase {
    /// It waits.
    Pending,
    /// It runs.
    #[default]
    Running,
    /// Its job came to an end; what it left says which.
    Succeeded,
    /// It broke.
    Failed,
}

/// An object, as it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// How far it has come.
    pub phase: ObjectPhase,
    /// The report within the phase.
    pub version: PhaseVersion,
    /// Its deletion was asked for.
    pub deleting: bool,
    /// Somebody holds it.
    pub has_finalizers: bool,
    /// Why it is in this phase.
    pub reason: Option<String>,
}

/// What a cluster refuses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KubeError {
    /// There is one of that name.
    #[error("the object exists already")]
    AlreadyExists,
    /// There is none of that name.
    #[error("there is no such object")]
    NotFound,
    /// It may not be made.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// It cannot be made.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// The call failed.
    #[error(transparent)]
    Failed(#[from] SystemError),
}

impl KubeError {
    /// Whether there may be room for it later.
    pub fn is_quota(&self) -> bool {
        matches!(self, KubeError::Forbidden(message) if message.contains("exceeded quota"))
    }
}

/// Calls on a cluster.
pub trait Kube: Send + Sync {
    /// Makes an object that is held by a finalizer.
    fn create<'a>(&'a self, name: &'a str, job: Job) -> BoxFuture<'a, Result<(), KubeError>>;

    /// Looks at an object; none if there is no such.
    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Object>, KubeError>>;

    /// Deletes an object, as soon as nobody holds it.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>>;

    /// Takes its finalizers away.
    fn clear_finalizers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>>;

    /// Changes an object so that its job stops.
    fn stop<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>>;
}

/// A cluster. Clones are one.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    objects: Mutex<BTreeMap<String, Running>>,
    /// How many objects were made, ever.
    made: AtomicU64,
    changed: Notify,
    quota: Option<usize>,
    files: Files,
    owners: EnqueueOwner,
}

#[derive(Clone, Debug)]
struct Running {
    object: Object,
    job: Job,
    /// Tells it from others that had its name.
    uid: u64,
    /// When its job ends by itself; never, or it has.
    ends_at: Option<Instant>,
}

impl Cluster {
    /// An empty cluster with room for so many jobs that run; who owns an object is told when its job ends.
    pub fn new(files: Files, quota: Option<usize>, owners: EnqueueOwner) -> Cluster {
        let (objects, made, changed) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Cluster(Arc::new(Inner { objects, made, changed, quota, files, owners }))
    }

    /// Ends jobs when their time has come, for ever: the cluster's own life. One that is slow to end keeps no other.
    pub async fn live(self) {
        let mut slow = JoinSet::new();
        loop {
            while slow.try_join_next().is_some() {}
            let next = self.objects().values().filter_map(|running| running.ends_at).min();
            match next {
                None => self.0.changed.notified().await,
                Some(at) => crate::select! {
                    biased;
                    () = sleep_until(at) => self.end_due(&mut slow),
                    () = self.0.changed.notified() => {}
                },
            }
        }
    }

    /// Changes an object by hand.
    pub fn alter(&self, name: &str, change: impl FnOnce(&mut Object)) {
        if let Some(running) = self.objects().get_mut(name) {
            change(&mut running.object);
        }
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    /// An object.
    pub fn peek(&self, name: &str) -> Option<Object> {
        self.objects().get(name).map(|running| running.object.clone())
    }

    fn end_due(&self, slow: &mut JoinSet<()>) {
        let now = Instant::now();
        let mut objects = self.objects();
        for (name, running) in objects.iter_mut() {
            if running.ends_at.is_some_and(|at| at <= now) {
                running.ends_at = None;
                let (cluster, name, uid) = (self.clone(), name.clone(), running.uid);
                slow.spawn(async move {
                    let is_hit = failpoint_on("job", &name).await.is_err();
                    cluster.end(&name, uid, is_hit);
                });
            }
        }
    }

    fn end(&self, name: &str, uid: u64, is_hit: bool) {
        let (owner, freed) = {
            let mut objects = self.objects();
            let Some(running) = objects.get_mut(name).filter(|running| running.uid == uid) else { return };
            let ends = match (is_hit, running.job.ends) {
                (true, Ends::Ok) => Ends::Recoverable,
                (_, ends) => ends,
            };
            let (job, owner) = (running.job.clone(), running.job.owner.clone());
            match ends {
                Ends::Ok | Ends::Recoverable | Ends::NonRecoverable | Ends::NoOutputs => {
                    running.object.phase = ObjectPhase::Succeeded;
                }
                Ends::Deleted => running.object.deleting = true,
                Ends::Lost => drop(objects.remove(name)),
                Ends::Never => {}
            }
            drop(objects);
            leave(&self.0.files, &job, ends);
            (owner, ends == Ends::Lost)
        };
        let (name, workflow): (Arc<str>, Arc<str>) = (Arc::from(name), Arc::from(owner.as_str()));
        emit(PluginEvent::Finished { name: Arc::clone(&name), workflow: Arc::clone(&workflow) });
        if freed {
            emit(PluginEvent::Vanished { name: Arc::clone(&name) });
            emit(PluginEvent::Freed { what: Made::Object, name, workflow });
        }
        self.0.owners.enqueue(&owner);
    }

    fn add(&self, name: &str, job: Job) -> Result<(), KubeError> {
        let mut objects = self.objects();
        if objects.contains_key(name) {
            return Err(KubeError::AlreadyExists);
        }
        let running = objects.values().filter(|running| running.object.phase == ObjectPhase::Running).count();
        if self.0.quota.is_some_and(|quota| running >= quota) {
            return Err(KubeError::Forbidden(format!("exceeded quota: {running} jobs run")));
        }
        let ends_at = (job.ends != Ends::Never).then(|| Instant::now() + job.takes);
        let object = Object { has_finalizers: true, ..Object::default() };
        let workflow: Arc<str> = Arc::from(job.owner.as_str());
        let uid = self.0.made.fetch_add(1, Ordering::Relaxed);
        objects.insert(name.to_owned(), Running { object, job, uid, ends_at });
        drop(objects);
        emit(PluginEvent::Made { what: Made::Object, name: Arc::from(name), workflow });
        self.0.changed.notify_one();
        Ok(())
    }

    /// Takes an object away if its deletion was asked for and nobody holds it.
    fn reap(&self, name: &str) {
        let reaped = {
            let mut objects = self.objects();
            let is_free = |running: &&mut Running| running.object.deleting && !running.object.has_finalizers;
            match objects.get_mut(name).filter(is_free).is_some() {
                true => objects.remove(name),
                false => None,
            }
        };
        if let Some(running) = reaped {
            let workflow = Arc::from(running.job.owner.as_str());
            emit(PluginEvent::Freed { what: Made::Object, name: Arc::from(name), workflow });
            self.0.changed.notify_one();
        }
    }

    async fn change(
        &self,
        what: &str,
        name: &str,
        change: impl FnOnce(&mut Object) + Send,
    ) -> Result<(), KubeError> {
        before(what, name).await?;
        match self.objects().get_mut(name) {
            None => return Err(KubeError::NotFound),
            Some(running) => change(&mut running.object),
        }
        self.reap(name);
        Ok(after(what, name).await?)
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kube for Cluster {
    fn create<'a>(&'a self, name: &'a str, job: Job) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(async move {
            before("create", name).await?;
            if failpoint_on("quota", name).await.is_err() {
                return Err(KubeError::Forbidden("exceeded quota: others were faster".to_owned()));
            }
            self.add(name, job)?;
            Ok(after("create", name).await?)
        })
    }

    fn get<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Object>, KubeError>> {
        Box::pin(async move {
            look("get", name).await?;
            Ok(self.peek(name))
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(self.change("delete", name, |object| object.deleting = true))
    }

    fn clear_finalizers<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(self.change("unhold", name, |object| object.has_finalizers = false))
    }

    fn stop<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(self.change("stop", name, |object| object.phase = ObjectPhase::Failed))
    }
}
