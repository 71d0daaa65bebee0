//! Controllers over the simulated container runtime, and the executor that makes them. Separate from the runtime, which
//! outlives them.

use super::container::{Container, Process, Runtime};
use super::controller::{BoxFuture, Controller, Outcome};
use super::dependencies::Dependencies;
use super::error::{ErrorKind, TaskError};
use super::executor::{EncryptionKey, Executor, Node, NodeDescription};
use super::logs::{LogMessage, LogOptions, LogPublisher, LogStream};
use super::options::AgentOptions;
use super::record::ContainerChange;
use super::task::{ContainerStatus, PortStatus, Task, TaskId};
use crate::fault::{crash_point, failpoint_on};
use crate::select;
use crate::sync::CancellationToken;
use crate::time::{Duration, Instant, sleep_until, timeout};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a call of the runtime may take.
const CALL_MAX: Duration = Duration::from_secs(5);

/// The executor of a node with containers. At the site `executor.controller` it finds none for a while.
#[derive(Debug)]
pub struct ContainerExecutor {
    runtime: Runtime,
    dependencies: Dependencies,
    told: Mutex<Told>,
    options: AgentOptions,
}

/// What it was told of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The nodes that it was configured as, in order.
    pub nodes: Vec<Node>,
    /// The keys that were set, in order.
    pub keys: Vec<Vec<EncryptionKey>>,
}

impl ContainerExecutor {
    /// An executor over a runtime; secrets and configs are lost with it.
    pub fn new(runtime: Runtime) -> ContainerExecutor {
        ContainerExecutor::with_options(runtime, AgentOptions::default())
    }

    /// An executor that does these things otherwise.
    pub fn with_options(runtime: Runtime, options: AgentOptions) -> ContainerExecutor {
        let (dependencies, told) = (Dependencies::default(), Mutex::default());
        ContainerExecutor { runtime, dependencies, told, options }
    }

    /// What it was told of its node.
    pub fn told(&self) -> Told {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for ContainerExecutor {
    fn describe(&self) -> BoxFuture<'_, Result<NodeDescription, TaskError>> {
        let hostname = self.runtime.node().to_string();
        Box::pin(async move { Ok(NodeDescription { hostname, plugins: None }) })
    }

    fn configure<'a>(&'a self, node: &'a Node) -> BoxFuture<'a, Result<(), TaskError>> {
        self.lock().nodes.push(node.clone());
        Box::pin(async { Ok(()) })
    }

    fn controller<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Result<Arc<dyn Controller>, TaskError>> {
        Box::pin(async move {
            if self.runtime.image(&task.spec.image).unsupported {
                return Err(TaskError::from(ErrorKind::RuntimeUnsupported));
            }
            failpoint_on("executor.controller", task.id.as_str()).await?;
            let controller = ContainerController {
                id: task.id.clone(),
                task: Mutex::new(task.clone()),
                runtime: self.runtime.clone(),
                dependencies: self.dependencies.clone(),
                options: self.options,
                closed: Mutex::new(false),
            };
            Ok(Arc::new(controller) as Arc<dyn Controller>)
        })
    }

    fn set_network_keys<'a>(&'a self, keys: &'a [EncryptionKey]) -> BoxFuture<'a, Result<(), TaskError>> {
        self.lock().keys.push(keys.to_vec());
        Box::pin(async { Ok(()) })
    }

    fn dependencies(&self) -> Option<&Dependencies> {
        Some(&self.dependencies)
    }
}

/// Runs a task in a container.
struct ContainerController {
    id: TaskId,
    task: Mutex<Task>,
    runtime: Runtime,
    dependencies: Dependencies,
    options: AgentOptions,
    closed: Mutex<bool>,
}

impl ContainerController {
    fn open(&self) -> Outcome {
        match *self.closed.lock().unwrap_or_else(PoisonError::into_inner) {
            true => Err(ErrorKind::ControllerClosed.into()),
            false => Ok(()),
        }
    }

    fn task(&self) -> Task {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A call of the runtime: it may be slow or fail, and can be interrupted, before its effect.
    async fn call(&self, cancel: &CancellationToken, site: &'static str) -> Outcome {
        self.open()?;
        select! {
            biased;
            called = timeout(CALL_MAX, failpoint_on(site, self.id.as_str())) => Ok(called??),
            () = cancel.cancelled() => Err(ErrorKind::Cancelled.into()),
        }
    }

    async fn effect(&self, what: &str) {
        crash_point(&format!("container {what} {}", self.id)).await;
    }

    async fn pull(&self, cancel: &CancellationToken, image: &str) -> Outcome {
        self.call(cancel, "container.pull").await?;
        let (done, begins) = self.runtime.pull(image);
        if begins {
            self.effect("pull").await;
        }
        until(cancel, done).await?;
        if self.runtime.image(image).missing {
            return Err(TaskError::new(format!("no such image: {image}")));
        }
        if begins {
            self.runtime.tell(&self.id, ContainerChange::Pulled);
        }
        Ok(())
    }

    /// What the task may see of secrets and configs, as it is defined now, goes into its container.
    fn acquire(&self, task: &Task) -> Outcome {
        let seen = self.dependencies.restricted_with(task, self.options).on(self.runtime.node().clone());
        for id in &task.spec.secrets {
            seen.secret(id).map_err(|error| TaskError::wrap("secret", error))?;
        }
        for id in &task.spec.configs {
            seen.config(id).map_err(|error| TaskError::wrap("config", error))?;
        }
        Ok(())
    }

    async fn stopped(&self, cancel: &CancellationToken) -> Outcome {
        self.open()?;
        let Some(Container { process: Process::Running { .. }, image, .. }) =
            self.runtime.container(&self.id)
        else {
            return Ok(());
        };
        self.call(cancel, "container.stop").await?;
        if self.runtime.stop(&self.id, Some(self.runtime.image(&image).stop.0)) {
            self.effect("stop").await;
        }
        loop {
            match self.runtime.container(&self.id).map(|container| container.process) {
                Some(Process::Running { ends: Some((at, _)), .. }) => until(cancel, at).await?,
                Some(Process::Running { ends: None, .. } | Process::Created | Process::Exited { .. })
                | None => {
                    return Ok(());
                }
            }
        }
    }

    /// Waits until something may be otherwise: a change, or this time.
    async fn changed(&self, cancel: &CancellationToken, at: Option<Instant>) -> Outcome {
        let due = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        select! {
            () = due => Ok(()),
            () = self.runtime.changed().notified() => Ok(()),
            () = cancel.cancelled() => Err(ErrorKind::Cancelled.into()),
        }
    }

    async fn waited(&self, cancel: &CancellationToken) -> Outcome {
        self.call(cancel, "container.inspect").await?;
        loop {
            let container = self.runtime.container(&self.id);
            let container = container.ok_or_else(|| TaskError::new("dockerexec: container destroyed"))?;
            match container.process {
                Process::Exited { sick: true, .. } => return Err(unhealthy_container()),
                Process::Exited { code: 0, sick: false } => return Ok(()),
                Process::Exited { code, sick: false } => return Err(TaskError::exit(code, None)),
                Process::Created => self.changed(cancel, None).await?,
                Process::Running { unhealthy: Some(at), .. } if at <= Instant::now() => {
                    self.stopped(cancel).await?;
                    return Err(unhealthy_container());
                }
                Process::Running { ends, unhealthy } => {
                    let soonest = ends.map(|(at, _)| at).into_iter().chain(unhealthy).min();
                    self.changed(cancel, soonest).await?;
                }
            }
        }
    }
}

fn unhealthy_container() -> TaskError {
    TaskError::new("dockerexec: unhealthy container")
}

/// Waits for a time.
async fn until(cancel: &CancellationToken, at: Instant) -> Outcome {
    select! {
        biased;
        () = cancel.cancelled() => Err(ErrorKind::Cancelled.into()),
        () = sleep_until(at) => Ok(()),
    }
}

impl Controller for ContainerController {
    fn update<'a>(&'a self, cancel: &'a CancellationToken, task: &'a Task) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.open()?;
            let container = self.runtime.container(&self.id);
            if container.is_some_and(|container| matches!(container.process, Process::Exited { .. })) {
                return Ok(());
            }
            self.call(cancel, "container.update").await?;
            let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if known.spec.image != task.spec.image {
                return Err(ErrorKind::TaskUpdateRejected.into());
            }
            *known = task.clone();
            Ok(())
        })
    }

    fn prepare<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.open()?;
            if self.runtime.container(&self.id).is_some() {
                return Err(ErrorKind::TaskPrepared.into());
            }
            let task = self.task();
            self.acquire(&task)?;
            self.pull(cancel, &task.spec.image).await?;
            self.call(cancel, "container.create").await?;
            if !self.runtime.create(&self.id, &task.spec.image) {
                return Err(ErrorKind::TaskPrepared.into());
            }
            self.effect("create").await;
            Ok(())
        })
    }

    fn start<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.call(cancel, "container.start").await?;
            let Some(container) = self.runtime.container(&self.id) else {
                return Err(TaskError::new(format!("no such container: {}", self.id)));
            };
            if container.process == Process::Created {
                until(cancel, Instant::now() + self.runtime.image(&container.image).start.0).await?;
            }
            if !self.runtime.start(&self.id) {
                return Err(ErrorKind::TaskStarted.into());
            }
            self.effect("start").await;
            Ok(())
        })
    }

    fn wait<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(self.waited(cancel))
    }

    fn shutdown<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(self.stopped(cancel))
    }

    fn terminate<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.call(cancel, "container.stop").await?;
            if self.runtime.stop(&self.id, None) {
                self.effect("stop").await;
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a self, cancel: &'a CancellationToken) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.stopped(cancel).await?;
            if self.runtime.container(&self.id).is_none() {
                return Ok(());
            }
            self.call(cancel, "container.remove").await?;
            if self.runtime.remove(&self.id) {
                self.effect("remove").await;
            }
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            self.open()?;
            *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
            Ok(())
        })
    }

    fn container_status<'a>(
        &'a self,
        _cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<ContainerStatus>, TaskError>>> {
        let status = self.runtime.container(&self.id).map(|container| ContainerStatus {
            id: format!("container-of-{}", self.id),
            pid: container.pid,
            exit_code: match container.process {
                Process::Exited { code, .. } => code,
                Process::Created | Process::Running { .. } => 0,
            },
        });
        Some(Box::pin(async move { Ok(status) }))
    }

    fn port_status<'a>(
        &'a self,
        _cancel: &'a CancellationToken,
    ) -> Option<BoxFuture<'a, Result<Option<PortStatus>, TaskError>>> {
        let container = self.runtime.container(&self.id);
        let running = container.filter(|container| matches!(container.process, Process::Running { .. }));
        let port = running.and_then(|container| self.runtime.image(&container.image).port);
        Some(Box::pin(async move { Ok(port.map(|port| PortStatus { published: vec![port] })) }))
    }

    fn logs<'a>(
        &'a self,
        cancel: &'a CancellationToken,
        publisher: Arc<dyn LogPublisher>,
        options: LogOptions,
    ) -> Option<BoxFuture<'a, Outcome>> {
        Some(Box::pin(async move {
            let mut written = BTreeSet::new();
            let mut was_there = false;
            loop {
                let container = self.runtime.container(&self.id);
                if container.is_none() && (was_there || !options.follow) {
                    return Ok(());
                }
                was_there |= container.is_some();
                let line = match container.map(|container| container.process) {
                    Some(Process::Running { .. }) => "started".to_owned(),
                    Some(Process::Exited { code, .. }) => format!("exited with {code}"),
                    Some(Process::Created) | None => String::new(),
                };
                if !line.is_empty() && written.insert(line.clone()) {
                    let task = self.id.clone();
                    publisher.publish(LogMessage { task, stream: LogStream::Stdout, line }).await?;
                }
                if !options.follow {
                    return Ok(());
                }
                self.changed(cancel, Some(Instant::now() + Duration::from_secs(1))).await?;
            }
        }))
    }
}
