//! The executor for clusters, table 2.3; and the successor's plugin for them, the rows PluginManager of table 2.5.

use super::{Recorder, now, task};
use fatum::systems::plugin::BoxFuture;
use fatum::systems::plugin::context::{OwnerId, Paths, TaskContext, TaskExecutionId};
use fatum::systems::plugin::core::{Plugin, PluginCall, PluginProperties};
use fatum::systems::plugin::enqueue::EnqueueOwner;
use fatum::systems::plugin::error::{EventError, SystemError};
use fatum::systems::plugin::executor::{Executor, InitializationParameters};
use fatum::systems::plugin::executors::{AbortBehavior, Hive, K8s, K8sOptions, Manager, ManagerOptions};
use fatum::systems::plugin::model::{CorePhase, PhaseVersion, TaskPhase, TaskStatus};
use fatum::systems::plugin::outputs::{ERROR_FILE_MAX, LiteralMap, OutputsResolver};
use fatum::systems::plugin::outside::{
    Cluster, Files, Job, Kube, KubeError, Lookaside, Object, ObjectPhase, Queries, Tokens,
};
use fatum::systems::plugin::state::CustomState;
use std::sync::{Arc, Mutex};

/// A cluster that answers as it is told, and remembers what was asked of it.
#[derive(Default)]
struct Fake {
    create: Option<KubeError>,
    get: Option<KubeError>,
    change: Option<KubeError>,
    object: Option<Object>,
    asked: Mutex<Vec<&'static str>>,
}

impl Fake {
    fn holding(object: Object) -> Fake {
        Fake { object: Some(object), ..Fake::default() }
    }

    fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        error: Option<&KubeError>,
        value: T,
    ) -> BoxFuture<'_, Result<T, KubeError>> {
        self.asked.lock().unwrap().push(what);
        Box::pin(std::future::ready(error.cloned().map_or(Ok(value), Err)))
    }

    fn changes(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap().iter().copied().filter(|what| *what != "get").collect()
    }
}

impl Kube for Fake {
    fn create<'a>(&'a self, _: &'a str, _: Job) -> BoxFuture<'a, Result<(), KubeError>> {
        self.ask("create", self.create.as_ref(), ())
    }

    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Object>, KubeError>> {
        self.ask("get", self.get.as_ref(), self.object.clone())
    }

    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        self.ask("delete", self.change.as_ref(), ())
    }

    fn clear_finalizers<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        self.ask("unhold", self.change.as_ref(), ())
    }

    fn stop<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), KubeError>> {
        self.ask("stop", self.change.as_ref(), ())
    }
}

fn object(phase: ObjectPhase) -> Object {
    Object { phase, has_finalizers: true, ..Object::default() }
}

fn context(phase: Option<CorePhase>, state: Option<CustomState>) -> TaskContext {
    TaskContext {
        owner: OwnerId { namespace: "d".to_owned(), name: "w".to_owned() },
        generated_name: Arc::from("w-n1-0"),
        id: TaskExecutionId { task: "t".to_owned(), node: "n1".to_owned(), retry_attempt: 0 },
        paths: Paths::of("d", "w", "n1", 0),
        labels: Default::default(),
        annotations: Default::default(),
        overrides: Default::default(),
        service_account: None,
        custom_state: state,
        phase,
        phase_version: PhaseVersion(0),
        reason: None,
        outputs: OutputsResolver::new(Arc::new(Files::new())),
    }
}

struct Bench {
    k8s: K8s,
    cluster: Arc<Fake>,
    recorder: Arc<Recorder>,
    files: Files,
}

fn bench(cluster: Fake, options: K8sOptions, answer: Option<EventError>) -> Bench {
    let (cluster, files) = (Arc::new(cluster), Files::new());
    let recorder = Arc::new(Recorder { answer, ..Recorder::default() });
    let k8s = K8s::new("k8s", cluster.clone(), options);
    let parameters = InitializationParameters {
        recorder: Some(recorder.clone()),
        data: Some(Arc::new(files.clone())),
        enqueue_owner: Some(EnqueueOwner::new()),
        ..InitializationParameters::default()
    };
    now(k8s.initialize(&parameters)).unwrap();
    Bench { k8s, cluster, recorder, files }
}

fn keeping() -> K8sOptions {
    K8sOptions { delete_on_terminal: false, ..K8sOptions::default() }
}

fn start(bench: &Bench) -> Result<TaskStatus, SystemError> {
    now(bench.k8s.start(&context(None, None), &task("t"), &LiteralMap::new()))
}

fn check(bench: &Bench, phase: CorePhase, state: Option<CustomState>) -> Result<TaskStatus, SystemError> {
    now(bench.k8s.check(&context(Some(phase), state), &task("t")))
}

fn quota() -> KubeError {
    KubeError::Forbidden("exceeded quota: 3 pods".to_owned())
}

fn down() -> KubeError {
    KubeError::Failed(SystemError::new("down"))
}

#[test]
fn a_start_gives_what_the_cluster_says() {
    let terminal = Some(EventError::AlreadyInTerminalState);
    let failed = Some(EventError::Failed(SystemError::new("down")));
    let forbidden = KubeError::Forbidden("no".to_owned());
    for (create, answer, expected, events) in [
        (None, None, Some(TaskPhase::Queued), 1),
        (Some(KubeError::AlreadyExists), None, Some(TaskPhase::Queued), 1),
        (None, Some(EventError::AlreadyExists), Some(TaskPhase::Queued), 1),
        (None, terminal, Some(TaskPhase::PermanentFailure), 1),
        (None, failed, None, 1),
        (Some(quota()), None, Some(TaskPhase::NotReady), 0),
        (Some(forbidden), None, Some(TaskPhase::PermanentFailure), 0),
        (Some(KubeError::BadRequest("no".to_owned())), None, None, 0),
        (Some(down()), None, None, 0),
    ] {
        let bench = bench(Fake { create, ..Fake::default() }, K8sOptions::default(), answer);
        assert_eq!(start(&bench).ok().map(|status| status.phase), expected);
        assert_eq!(bench.recorder.task_phases().len(), events);
    }
}

#[test]
fn what_the_control_plane_has_ended_is_not_left_in_the_cluster() {
    let bench = bench(Fake::default(), K8sOptions::default(), Some(EventError::AlreadyInTerminalState));
    assert_eq!(start(&bench).unwrap().phase, TaskPhase::PermanentFailure);
    assert_eq!(bench.cluster.changes(), ["create", "unhold", "delete"]);
}

#[test]
fn an_object_that_goes_ends_its_attempt_and_no_other_has_its_name() {
    let going = Object { deleting: true, ..object(ObjectPhase::Running) };
    let cluster = Fake { create: Some(KubeError::AlreadyExists), ..Fake::holding(going) };
    let bench = bench(cluster, K8sOptions::default(), None);
    assert_eq!(start(&bench).unwrap().phase, TaskPhase::Queued);
    assert_eq!(check(&bench, CorePhase::Queued, None).unwrap().phase, TaskPhase::RetryableFailure);
    assert_eq!(bench.cluster.changes(), ["create", "unhold"]);
    assert_eq!(bench.recorder.task_phases(), ["QUEUED", "FAILED"]);
}

#[test]
fn a_quota_is_no_answer_for_what_an_earlier_start_made() {
    let insufficient = || KubeError::Forbidden("insufficient resource: cpu".to_owned());
    let cluster = Fake { create: Some(quota()), ..Fake::holding(object(ObjectPhase::Running)) };
    let bench = bench(cluster, K8sOptions::default(), None);
    assert_eq!(start(&bench).unwrap().phase, TaskPhase::Queued);
    assert_eq!(bench.recorder.task_phases(), ["QUEUED"], "what was said before is said again");
    for create in [quota(), insufficient()] {
        let made = Fake { create: Some(create), ..Fake::holding(object(ObjectPhase::Running)) };
        assert_eq!(handled(made, &context(None, None)).unwrap().0, CorePhase::Queued);
    }
    let lost = Fake { create: Some(quota()), get: Some(down()), ..Fake::default() };
    assert!(handled(lost, &context(None, None)).is_err());
}

#[test]
fn a_start_that_is_repeated_finds_what_the_first_made() {
    let cluster = Arc::new(Cluster::new(Files::new(), Some(1), EnqueueOwner::new()));
    let recorder = Arc::new(Recorder::default());
    // Each is an engine of its own: the first crashed right after the object was made.
    for _ in 0..2 {
        let k8s = K8s::new("k8s", cluster.clone(), K8sOptions::default());
        let parameters = InitializationParameters {
            recorder: Some(recorder.clone()),
            data: Some(Arc::new(Files::new())),
            enqueue_owner: Some(EnqueueOwner::new()),
            ..InitializationParameters::default()
        };
        now(k8s.initialize(&parameters)).unwrap();
        let started = now(k8s.start(&context(None, None), &task("t"), &LiteralMap::new())).unwrap();
        assert_eq!((started.phase, cluster.names()), (TaskPhase::Queued, vec!["w-n1-0".to_owned()]));
    }
}

#[test]
fn only_executors_that_must_be_waited_for_ask_for_the_finalizer() {
    let cluster = Arc::new(Fake::default());
    assert!(!K8s::new("k8s", cluster.clone(), K8sOptions::default()).properties().requires_finalizer);
    let manager = Manager::new("manager", cluster, ManagerOptions::default());
    assert_eq!(manager.properties(), PluginProperties::default());
    let hive = Hive::new("hive", Queries::new(Files::new()), Tokens::new(1), Lookaside::new());
    assert!(hive.properties().requires_finalizer);
}

#[test]
fn a_check_gives_what_the_object_says() {
    let terminal = Some(EventError::AlreadyInTerminalState);
    let deleting = Object { deleting: true, ..object(ObjectPhase::Running) };
    let (pending, running) = (object(ObjectPhase::Pending), object(ObjectPhase::Running));
    for (found, answer, was, expected, events, changes) in [
        // phaseChange, PhaseMismatch, noChange, resourceNotFound, nodeGetsDeleted
        (Some(running.clone()), None, CorePhase::Queued, TaskPhase::Running, 1, vec![]),
        (
            Some(running.clone()),
            terminal,
            CorePhase::Queued,
            TaskPhase::PermanentFailure,
            1,
            vec!["unhold", "delete"],
        ),
        (Some(running), None, CorePhase::Running, TaskPhase::Running, 0, vec![]),
        (None, None, CorePhase::Running, TaskPhase::RetryableFailure, 1, vec![]),
        (Some(deleting), None, CorePhase::Running, TaskPhase::RetryableFailure, 1, vec!["unhold"]),
        (Some(pending), None, CorePhase::Queued, TaskPhase::Queued, 0, vec![]),
        (
            Some(object(ObjectPhase::Failed)),
            None,
            CorePhase::Running,
            TaskPhase::RetryableFailure,
            1,
            vec!["unhold"],
        ),
        (
            Some(object(ObjectPhase::Succeeded)),
            None,
            CorePhase::Running,
            TaskPhase::Succeeded,
            1,
            vec!["unhold"],
        ),
    ] {
        let bench = bench(Fake { object: found, ..Fake::default() }, keeping(), answer);
        assert_eq!(check(&bench, was, None).unwrap().phase, expected);
        assert_eq!(bench.recorder.task_phases().len(), events, "{expected}");
        assert_eq!(bench.cluster.changes(), changes, "{expected}");
    }
    let bench = bench(Fake { get: Some(down()), ..Fake::default() }, keeping(), None);
    assert!(check(&bench, CorePhase::Running, None).is_err());
}

#[test]
fn the_error_file_decides_what_a_task_that_ended_is() {
    let error = |recoverable: bool| {
        format!(r#"{{"error": {{"code": "c", "message": "m", "recoverable": {recoverable}}}}}"#)
    };
    for (content, size, expected) in [
        (None, 0, Some(TaskPhase::Succeeded)),
        (Some(error(true)), 10, Some(TaskPhase::RetryableFailure)),
        (Some(error(false)), 10, Some(TaskPhase::PermanentFailure)),
        (Some(error(true)), ERROR_FILE_MAX + 1, Some(TaskPhase::PermanentFailure)),
        (Some("{}".to_owned()), 2, Some(TaskPhase::RetryableFailure)),
        (Some("not JSON".to_owned()), 8, None),
    ] {
        let bench = bench(Fake::holding(object(ObjectPhase::Succeeded)), keeping(), None);
        if let Some(content) = &content {
            bench.files.put_sized("d/w/n1/0/error.pb", content, size);
        }
        let found = check(&bench, CorePhase::Running, None).ok().map(|status| status.phase);
        assert_eq!(found, expected, "{content:?}");
    }
}

#[test]
fn a_failure_keeps_its_error_over_the_two_rounds_in_which_its_object_goes() {
    let error = r#"{"error": {"code": "c", "message": "m", "recoverable": false}}"#;
    for (forgets_error, code) in [(false, "c"), (true, "UnknownError")] {
        let options = K8sOptions { forgets_error, ..K8sOptions::default() };
        let bench = bench(Fake::holding(object(ObjectPhase::Succeeded)), options, None);
        bench.files.put("d/w/n1/0/error.pb", error);
        let first = check(&bench, CorePhase::Running, None).unwrap();
        assert_eq!(first.phase, TaskPhase::Running);
        assert!(bench.cluster.changes().is_empty() && bench.recorder.task_phases().is_empty());
        let second = check(&bench, CorePhase::Running, first.state).unwrap();
        assert_eq!(second.phase, TaskPhase::PermanentFailure);
        let err = second.err.unwrap();
        assert_eq!(err.code, code);
        if forgets_error {
            assert_eq!(err.message, "k8s task failed, error info not available");
        }
        assert_eq!(bench.cluster.changes(), ["unhold", "delete"]);
        assert_eq!(bench.recorder.task_phases(), ["FAILED"]);
    }
}

#[test]
fn a_kill_of_what_is_gone_is_done_unless_it_is_to_be_as_in_the_reference() {
    let kill = |fake: Fake, options: K8sOptions| {
        let bench = bench(fake, options, None);
        let killed = now(bench.k8s.kill(&context(Some(CorePhase::Running), None), "Node aborted"));
        (killed.is_ok(), bench.cluster.changes())
    };
    let here = || Fake::holding(object(ObjectPhase::Running));
    let vanishes = || Fake { change: Some(KubeError::NotFound), ..here() };
    let reference = K8sOptions { not_found_fails: true, ..K8sOptions::default() };
    let keeps = K8sOptions { delete_on_abort: false, ..K8sOptions::default() };
    assert_eq!(kill(here(), K8sOptions::default()), (true, vec!["unhold", "delete"]));
    assert_eq!(kill(Fake::default(), K8sOptions::default()), (true, vec![]));
    assert_eq!(kill(vanishes(), K8sOptions::default()), (true, vec!["unhold", "delete"]));
    assert_eq!(kill(vanishes(), reference), (false, vec!["unhold", "delete"]));
    assert_eq!(kill(here(), keeps), (true, vec!["unhold"]));
    assert!(!kill(Fake { change: Some(down()), ..here() }, K8sOptions::default()).0);
}

// The successor's plugin.

fn handled(fake: Fake, context: &TaskContext) -> Result<(CorePhase, PhaseVersion), SystemError> {
    let manager = Manager::new("manager", Arc::new(fake), ManagerOptions::default());
    let (template, inputs) = (task("t"), LiteralMap::new());
    let transition = now(manager.handle(PluginCall { context, template: &template, inputs: &inputs }))?;
    Ok((transition.info.phase, transition.info.version))
}

fn launched() -> Option<CustomState> {
    Some(CustomState::new().with("launched", true))
}

#[test]
fn the_successor_launches_as_the_table_says() {
    let insufficient = KubeError::Forbidden("insufficient resource: cpu".to_owned());
    for (create, expected) in [
        (None, Some(CorePhase::Queued)),
        (Some(KubeError::AlreadyExists), Some(CorePhase::Queued)),
        (Some(quota()), Some(CorePhase::WaitingForResources)),
        (Some(KubeError::Forbidden("no".to_owned())), Some(CorePhase::RetryableFailure)),
        (Some(insufficient), Some(CorePhase::WaitingForResources)),
        (Some(down()), None),
    ] {
        let found = handled(Fake { create, ..Fake::default() }, &context(None, None));
        assert_eq!(found.ok().map(|(phase, _)| phase), expected);
    }
}

#[test]
fn the_successor_looks_as_the_table_says() {
    for (fake, expected) in [
        (Fake::default(), Some(CorePhase::RetryableFailure)),
        (Fake { get: Some(down()), ..Fake::default() }, None),
        (Fake::holding(object(ObjectPhase::Succeeded)), Some(CorePhase::Success)),
        (Fake::holding(object(ObjectPhase::Running)), Some(CorePhase::Running)),
    ] {
        let found = handled(fake, &context(Some(CorePhase::Queued), launched()));
        assert_eq!(found.ok().map(|(phase, _)| phase), expected);
    }
}

#[test]
fn a_new_reason_is_a_new_version_also_of_what_is_stored() {
    let with = |version: u32, reason: Option<&str>| Object {
        version: PhaseVersion(version),
        reason: reason.map(str::to_owned),
        ..object(ObjectPhase::Running)
    };
    for (was, version, reason, found, expected) in [
        (None, 0, None, with(0, None), 0),
        (Some(CorePhase::Running), 0, None, with(0, None), 0),
        (Some(CorePhase::Running), 0, None, with(3, None), 3),
        (Some(CorePhase::Running), 2, None, with(2, Some("pulling")), 3),
        (Some(CorePhase::Running), 3, Some("pulling"), with(2, Some("pulling")), 3),
        (Some(CorePhase::Queued), 9, None, with(0, Some("pulling")), 0),
    ] {
        let context = TaskContext {
            phase_version: PhaseVersion(version),
            reason: reason.map(str::to_owned),
            ..context(was, launched())
        };
        let found = handled(Fake::holding(found), &context).unwrap();
        assert_eq!(found, (CorePhase::Running, PhaseVersion(expected)), "{was:?} {version}");
    }
}

#[test]
fn the_successor_aborts_and_finalizes_as_the_table_says() {
    let call = |fake: Fake, options: ManagerOptions, finalizes: bool| {
        let fake = Arc::new(fake);
        let manager = Manager::new("manager", fake.clone(), options);
        let (template, inputs, context) = (task("t"), LiteralMap::new(), context(None, launched()));
        let call = PluginCall { context: &context, template: &template, inputs: &inputs };
        let result = match finalizes {
            true => now(manager.finalize(call)),
            false => now(manager.abort(call)),
        };
        (result.is_ok(), fake.changes())
    };
    let absent = || Fake { change: Some(KubeError::NotFound), ..Fake::default() };
    for (abort, fake, expected) in [
        (AbortBehavior::Default, Fake::default(), true),
        (AbortBehavior::Default, absent(), true),
        (AbortBehavior::Patch, absent(), false),
        (AbortBehavior::Update, absent(), false),
        (AbortBehavior::Delete, absent(), false),
    ] {
        let options = ManagerOptions { abort, ..ManagerOptions::default() };
        assert_eq!(call(fake, options, false).0, expected, "{abort:?}");
    }
    for (delete_on_finalize, changes) in [(true, vec!["unhold", "delete"]), (false, vec!["unhold"])] {
        let options = ManagerOptions { delete_on_finalize, ..ManagerOptions::default() };
        assert_eq!(call(Fake::default(), options, true), (true, changes));
    }
}
