//! The kinds of tasks: what each is built from, and what it answers over a store.

use super::*;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::store::{Client, Latency};
use fatum::systems::plan::object::{Health, Object, ObjectStatus, RenderError, Values, render};
use fatum::systems::plan::task::{
    BuildError, Enhance, EnhanceError, PipeSettings, artefact_name, pod_problem,
};
use fatum::systems::plan::{Answer, EventName, Instance};
use std::collections::BTreeSet;
use std::time::Duration;

fn template(kind: &str, name: &str) -> String {
    json!({ "kind": kind, "name": name }).to_string()
}

fn with_templates<const N: usize>(templates: [(&str, String); N]) -> ActivePlan {
    let templates = templates.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    ActivePlan { templates: Arc::new(templates), ..ActivePlan::default() }
}

/// What a task answers in a world with these objects.
fn answer(task: Task, plan: ActivePlan, objects: Vec<Object>) -> Answer {
    answer_with(task, plan, objects, |context| context)
}

fn answer_with(
    task: Task,
    plan: ActivePlan,
    objects: Vec<Object>,
    change: impl for<'a> FnOnce(TaskContext<'a>) -> TaskContext<'a> + 'static,
) -> Answer {
    inside(move |client| async move {
        put_all(&client, &objects).await;
        let metadata = metadata();
        let context = change(context(&client, &metadata, &plan));
        match Kinds::reference().build(&task) {
            Ok(built) => built.run(&context).await,
            Err(error) => Answer::Unbuilt(error.to_string()),
        }
    })
}

async fn put_all(client: &Client, objects: &[Object]) {
    for object in objects {
        client.put(object.key(), object).await.unwrap();
    }
}

fn object(kind: &str, name: &str, ready: bool) -> Object {
    Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        owner: "test-instance".to_owned(),
        generation: 1,
        status: ObjectStatus { observed: 1, ready, failed: false },
        ..Object::default()
    }
}

fn failed(kind: &str, name: &str) -> Object {
    let status = ObjectStatus { observed: 1, ready: false, failed: true };
    Object { status, ..object(kind, name, false) }
}

fn resources(kind: &str, resources: &[&str]) -> Task {
    Task::new("task", kind, [("resources", json!(resources))])
}

fn is_fatal(answer: &Answer, event: EventName) -> bool {
    matches!(answer, Answer::Fatal { event: found, .. } if *found == event)
}

#[test]
fn a_dummy_answers_as_its_settings_say() {
    let run = |task: Task| answer(task, ActivePlan::default(), vec![]);
    assert_eq!(run(failing("task")), Answer::transient("dummy error"));
    assert_eq!(run(fatal("task")), Answer::fatal(EventName::DummyTaskError, "dummy error"));
    assert_eq!(run(pending("task")), Answer::Pending);
    assert_eq!(run(done("task")), Answer::Done);
}

fn pipe(file: Value) -> Task {
    Task::new("task", "Pipe", [("pod", json!("pod.yaml")), ("pipe", json!([file]))])
}

fn nested(spec: &[(&str, &str)]) -> Task {
    let spec = spec.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    Task { name: "task".to_owned(), kind: "KudoOperator".to_owned(), spec }
}

#[test]
fn a_task_is_built_from_what_its_kind_takes() {
    let secret = json!({ "file": "/tmp/f", "kind": "Secret", "key": "key-1_A" });
    let map = json!({ "envFile": "/tmp/f", "kind": "ConfigMap", "key": "key" });
    let toggle = Task::new("task", "Toggle", [("parameter", json!("P")), ("resources", json!(["a.yaml"]))]);
    let good = [
        resources("Apply", &["a.yaml"]),
        resources("Delete", &["a.yaml"]),
        done("task"),
        Task::new("task", "Dummy", [("resources", Value::Null)]),
        toggle,
        pipe(secret),
        pipe(map),
        nested(&[("package", "p"), ("operatorVersion", "1")]),
    ];
    for task in good {
        assert!(Kinds::reference().build(&task).is_ok(), "{task:?}");
    }
    let empty = |kind: &str| {
        format!(
            "task validation error: {kind} task 'task' has an empty resource list. if that's what you need, use a \
             Dummy task instead"
        )
    };
    for kind in ["Apply", "Delete"] {
        let error = Kinds::reference().build(&resources(kind, &[])).err();
        assert_eq!(error, Some(BuildError(empty(kind))));
    }
    assert_eq!(
        Kinds::reference().build(&Task::new("task", "Other", [])).err(),
        Some(BuildError("unknown task kind Other".to_owned()))
    );
    let bad = [
        pipe(json!({ "file": "/tmp/f", "kind": "Pod", "key": "key" })),
        pipe(json!({ "kind": "Secret", "key": "key" })),
        pipe(json!({ "file": "/tmp/f", "envFile": "/tmp/f", "kind": "Secret", "key": "key" })),
        pipe(json!({ "file": "/tmp/f", "kind": "Secret", "key": "$key" })),
        pipe(json!({ "file": "/tmp/f", "kind": "Secret", "key": "" })),
        Task::new("task", "Pipe", [("pod", json!("pod.yaml"))]),
        nested(&[("operatorVersion", "1")]),
        nested(&[("package", "p")]),
        Task::new("task", "Toggle", [("resources", json!(["a.yaml"]))]),
        Task::new("task", "Toggle", [("parameter", json!("P"))]),
        Task::new("task", "Apply", [("resources", json!("no list"))]),
    ];
    for task in bad {
        assert!(Kinds::reference().build(&task).is_err(), "{task:?}");
    }
}

#[test]
fn users_add_kinds_of_their_own() {
    let kinds = Kinds::reference().with("Mine", |task| match task.spec.is_empty() {
        true => Err(BuildError("nothing to do".to_owned())),
        false => Kinds::reference().build(&done("task")),
    });
    assert!(kinds.names().contains(&"Mine"));
    assert!(kinds.build(&Task::new("task", "Mine", [("x", json!(1))])).is_ok());
    assert_eq!(
        kinds.build(&Task::new("task", "Mine", [])).err(),
        Some(BuildError("nothing to do".to_owned()))
    );
}

#[derive(Clone, Copy)]
struct Refuses {
    is_fatal: bool,
}

impl Enhance for Refuses {
    fn enhance(&self, _: &mut Object, _: &TaskContext<'_>) -> Result<(), EnhanceError> {
        Err(EnhanceError { message: "no owner".to_owned(), is_fatal: self.is_fatal })
    }
}

#[test]
fn apply_answers_as_in_the_table() {
    let plan =
        || with_templates([("pod.yaml", template("Pod", "pod")), ("job.yaml", template("Job", "job"))]);
    let pod = || resources("Apply", &["pod.yaml"]);
    let missing = answer(resources("Apply", &["other.yaml"]), plan(), vec![]);
    assert!(is_fatal(&missing, EventName::TaskRenderingError), "{missing:?}");
    for (is_fatal, expected) in [
        (true, Answer::fatal(EventName::TaskEnhancementError, "no owner")),
        (false, Answer::transient("no owner")),
    ] {
        static FATAL: Refuses = Refuses { is_fatal: true };
        static PLAIN: Refuses = Refuses { is_fatal: false };
        let refuses = if is_fatal { &FATAL } else { &PLAIN };
        let found =
            answer_with(pod(), plan(), vec![], move |context| TaskContext { enhancer: refuses, ..context });
        assert_eq!(found, expected);
        let found = answer_with(resources("Delete", &["pod.yaml"]), plan(), vec![], move |context| {
            TaskContext { enhancer: refuses, ..context }
        });
        assert_eq!(found, expected, "a deletion too");
    }
    assert_eq!(answer(pod(), plan(), vec![object("Pod", "pod", true)]), Answer::Done);
    assert_eq!(answer(pod(), plan(), vec![]), Answer::Pending, "it is created, and not ready");
    assert_eq!(
        answer(resources("Apply", &["job.yaml"]), plan(), vec![object("Job", "job", false)]),
        Answer::Pending
    );
    let job = answer(resources("Apply", &["job.yaml"]), plan(), vec![failed("Job", "job")]);
    assert_eq!(job, Answer::fatal(EventName::FailedTerminalStateError, "Job job has failed"));
    let broken = answer(pod(), with_templates([("pod.yaml", "no object".to_owned())]), vec![]);
    assert!(is_fatal(&broken, EventName::ResourceUnmarshalError), "{broken:?}");
    let unknown = answer_with(pod(), plan(), vec![], |context| {
        static NONE: BTreeSet<String> = BTreeSet::new();
        TaskContext { discovery: Some(&NONE), ..context }
    });
    assert_eq!(unknown, Answer::fatal(EventName::ResourceValidationError, "no matches for kind Pod"));
}

#[test]
fn a_change_of_what_is_asked_for_is_a_new_generation_that_is_waited_for() {
    let text =
        json!({ "kind": "StatefulSet", "name": "set", "spec": { "size": "{{ .Params.SIZE }}" } }).to_string();
    let mut plan = with_templates([("set.yaml", text)]);
    plan.params = values([("SIZE", json!("2"))]).into();
    let mut before = object("StatefulSet", "set", true);
    before.spec = json!({ "size": "1" });
    let apply = resources("Apply", &["set.yaml"]);
    assert_eq!(answer(apply.clone(), plan.clone(), vec![before.clone()]), Answer::Pending);
    before.spec = json!({ "size": "2" });
    assert_eq!(answer(apply.clone(), plan.clone(), vec![before.clone()]), Answer::Done);
    before.deleting = true;
    assert_eq!(
        answer(apply.clone(), plan.clone(), vec![before]),
        Answer::Pending,
        "it goes, and is made anew then"
    );
    plan.params = Arc::default();
    assert!(is_fatal(&answer(apply, plan, vec![]), EventName::TaskRenderingError));
}

#[test]
fn delete_waits_until_it_is_gone() {
    let plan = || with_templates([("pod.yaml", template("Pod", "pod"))]);
    let delete = || resources("Delete", &["pod.yaml"]);
    assert_eq!(answer(delete(), plan(), vec![]), Answer::Done);
    assert_eq!(answer(delete(), plan(), vec![object("Pod", "pod", true)]), Answer::Pending);
    let going = Object { deleting: true, ..object("Pod", "pod", true) };
    assert_eq!(answer(delete(), plan(), vec![going]), Answer::Pending);
    assert!(is_fatal(&answer(resources("Delete", &["x"]), plan(), vec![]), EventName::TaskRenderingError));
    let unknown = answer_with(delete(), plan(), vec![object("Pod", "pod", true)], |context| {
        static NONE: BTreeSet<String> = BTreeSet::new();
        TaskContext { discovery: Some(&NONE), ..context }
    });
    assert_eq!(unknown, Answer::Done, "a kind that the cluster does not know is skipped");
}

/// What a deletion answers while the store refuses calls of a site: a call takes a millisecond, and these are refused that
/// begin from here on.
fn deleting_while(site: &str, from: Duration) -> Answer {
    let harm = FaultRule::new(site, FaultKind::Error, 1.0).window(from, Duration::from_secs(9));
    let mut sim = Sim::builder().seed(1).faults(FaultPlan::none().without_swarm().with(harm)).build();
    sim.store().set_latency(Latency { base: Duration::from_millis(1), step: Duration::ZERO });
    let pod = object("Pod", "pod", true);
    sim.store().put(pod.key(), &pod).unwrap();
    let told = Rc::new(RefCell::new(None));
    let answer = told.clone();
    sim.host("controller").run(move |host| async move {
        let plan = with_templates([("pod.yaml", template("Pod", "pod"))]);
        let (client, metadata) = (host.store().consistent(), metadata());
        let built = Kinds::reference().build(&resources("Delete", &["pod.yaml"])).unwrap();
        let came_to = built.run(&context(&client, &metadata, &plan)).await;
        *answer.borrow_mut() = Some(came_to);
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
    told.take().unwrap()
}

#[test]
fn a_deletion_that_cannot_be_asked_for_fails_and_one_that_cannot_be_looked_at_goes_on() {
    let (begin, after_reading, after_asking) =
        (Duration::ZERO, Duration::from_micros(500), Duration::from_micros(1500));
    assert!(matches!(deleting_while("store.read", begin), Answer::Transient(_)));
    assert!(matches!(deleting_while("store.write", after_reading), Answer::Transient(_)));
    assert_eq!(deleting_while("store.read", after_asking), Answer::Pending);
    assert_eq!(deleting_while("store.write", after_asking), Answer::Pending, "it was asked for");
}

#[test]
fn toggle_applies_or_deletes_as_its_parameter_says() {
    let toggle =
        || Task::new("task", "Toggle", [("parameter", json!("P")), ("resources", json!(["pod.yaml"]))]);
    let run = |params: BTreeMap<String, Value>, objects: Vec<Object>| {
        let mut plan = with_templates([("pod.yaml", template("Pod", "pod"))]);
        plan.params = params.into();
        answer(toggle(), plan, objects)
    };
    let ready = || vec![object("Pod", "pod", true)];
    assert_eq!(run(values([("P", json!("true"))]), ready()), Answer::Done);
    assert_eq!(run(values([("P", json!("true"))]), vec![object("Pod", "pod", false)]), Answer::Pending);
    assert_eq!(run(values([("P", json!("false"))]), ready()), Answer::Pending);
    assert_eq!(run(values([("P", json!("false"))]), vec![]), Answer::Done);
    for params in [
        values([]),
        values([("P", json!(""))]),
        values([("P", json!("maybe"))]),
        values([("P", json!(1))]),
        values([("P", Value::Null)]),
    ] {
        let found = run(params.clone(), vec![]);
        assert!(is_fatal(&found, EventName::ToggleTaskError), "{params:?}: {found:?}");
    }
}

#[test]
fn health_is_by_kind() {
    for kind in
        ["StatefulSet", "Deployment", "Job", "Pod", "CustomResourceDefinition", "Namespace", "Service"]
    {
        assert_eq!(object(kind, "x", true).health(), Health::Healthy, "{kind}");
        assert!(matches!(object(kind, "x", false).health(), Health::Unhealthy(_)), "{kind}");
        let old = Object { generation: 2, ..object(kind, "x", true) };
        assert!(matches!(old.health(), Health::Unhealthy(_)), "{kind}: that is of another generation");
        assert!(Object::has_health(kind));
    }
    for kind in ["ConfigMap", "Secret", "Other"] {
        assert_eq!(object(kind, "x", false).health(), Health::Healthy, "{kind}");
    }
    // A job alone fails for good, and not one that succeeded or was changed since.
    for (kind, is_failed) in [("Job", true), ("Pod", false), ("Deployment", false), ("Service", false)] {
        assert_eq!(matches!(failed(kind, "x").health(), Health::Failed(_)), is_failed, "{kind}");
    }
    let succeeded = ObjectStatus { observed: 1, ready: true, failed: true };
    assert_eq!(Object { status: succeeded, ..failed("Job", "x") }.health(), Health::Healthy);
    let changed = Object { generation: 2, ..failed("Job", "x") };
    assert!(matches!(changed.health(), Health::Unhealthy(_)), "it is run again");
    // An instance is healthy while no plan is scheduled.
    for (scheduled, is_healthy) in [("", true), ("deploy", false)] {
        let spec = json!({ "plan_execution": { "name": scheduled } });
        let instance = Object { spec, ..object("Instance", "x", false) };
        assert_eq!(instance.health() == Health::Healthy, is_healthy, "{scheduled}");
    }
}

#[test]
fn a_changed_job_has_not_succeeded_yet() {
    let plan = || {
        let mut plan = with_templates([(
            "job.yaml",
            json!({ "kind": "Job", "name": "job", "spec": { "size": "{{ .Params.SIZE }}" } }).to_string(),
        )]);
        plan.params = values([("SIZE", json!("2"))]).into();
        plan
    };
    let before = |size: &str, is_failed: bool| Object {
        spec: json!({ "size": size }),
        ..if is_failed { failed("Job", "job") } else { object("Job", "job", true) }
    };
    let apply = || resources("Apply", &["job.yaml"]);
    assert_eq!(answer(apply(), plan(), vec![before("2", false)]), Answer::Done);
    assert_eq!(answer(apply(), plan(), vec![before("1", false)]), Answer::Pending, "it is another now");
    assert!(is_fatal(&answer(apply(), plan(), vec![before("2", true)]), EventName::FailedTerminalStateError));
    assert_eq!(answer(apply(), plan(), vec![before("1", true)]), Answer::Pending, "it is tried anew");
    let pod = with_templates([("pod.yaml", template("Pod", "pod"))]);
    assert_eq!(answer(resources("Apply", &["pod.yaml"]), pod, vec![failed("Pod", "pod")]), Answer::Pending);
}

/// The spec of the object that a template says, with these values.
fn said(spec: &str, params: BTreeMap<String, Value>, pipes: &[(&str, &str)]) -> Result<Value, RenderError> {
    let text = format!(r#"{{"kind": "Pod", "name": "x", "spec": {spec}}}"#);
    let templates = BTreeMap::from([("t".to_owned(), text)]);
    let pipes = pipes.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned())).collect();
    render("t", &templates, Values { params: &params, pipes: &pipes }).map(|object| object.spec)
}

#[test]
fn templates_name_parameters_and_pipes() {
    let params = || values([("P", json!("v")), ("N", json!(3)), ("L", json!(["a"]))]);
    let spec = r#"{"p": "{{ .Params.P }}-{{.Params.P}}", "n": {{ .Params.N }}, "l": {{ .Params.L }}}"#;
    assert_eq!(said(spec, params(), &[]).unwrap(), json!({ "p": "v-v", "n": 3, "l": ["a"] }));
    let pipe = r#""{{ .Pipes.key }}""#;
    assert_eq!(said(pipe, params(), &[("key", "i.deploy.p.s.t.key")]).unwrap(), json!("i.deploy.p.s.t.key"));
    for (unknown, name) in
        [(r#""{{ .Params.Q }}""#, ".Params.Q"), (r#""{{ .Pipes.P }}""#, ".Pipes.P"), (r#""{{ P }}""#, "P")]
    {
        let error = RenderError::NoValue { template: "t".to_owned(), name: name.to_owned() };
        assert_eq!(said(unknown, params(), &[]), Err(error));
    }
}

#[test]
fn a_value_stands_in_a_text_as_it_is() {
    for text in ["", "\"", "\"quoted\"", "ends in \"", "back\\slash\\", "\\\"", "two\nlines", "ümlaut"] {
        let spec = said(r#"{"p": "{{ .Params.P }}"}"#, values([("P", json!(text))]), &[]);
        assert_eq!(spec.unwrap(), json!({ "p": text }), "{text:?}");
    }
}

fn pod_spec() -> Value {
    json!({
        "volumes": [{ "name": "shared", "emptyDir": {} }],
        "initContainers": [{ "volumeMounts": [{ "name": "shared", "mountPath": "/tmp" }] }],
    })
}

#[test]
fn a_pipes_pod_has_a_shape() {
    let files = |path: &str| vec![PipeSettings { file: path.to_owned(), ..PipeSettings::default() }];
    let pod = |spec: Value| Object { kind: "Pod".to_owned(), spec, ..Object::default() };
    let with = |key: &str, value: Value| {
        let mut spec = pod_spec();
        spec[key] = value;
        pod(spec)
    };
    assert_eq!(pod_problem(&pod(pod_spec()), &files("/tmp/foo")), None);
    assert_eq!(pod_problem(&with("restartPolicy", json!("OnFailure")), &files("/tmp/a/foo")), None);
    let bad = [
        (with("containers", json!([{}])), "/tmp/foo"),
        (with("initContainers", json!([])), "/tmp/foo"),
        (with("restartPolicy", json!("Always")), "/tmp/foo"),
        (with("volumes", json!([])), "/tmp/foo"),
        (with("initContainers", json!([{ "volumeMounts": [] }])), "/tmp/foo"),
        (pod(pod_spec()), "/var/foo"),
        (pod(pod_spec()), "/tmp/../foo"),
        (Object { kind: "Job".to_owned(), ..pod(pod_spec()) }, "/tmp/foo"),
    ];
    for (pod, file) in bad {
        assert!(pod_problem(&pod, &files(file)).is_some(), "{file} {pod:?}");
    }
}

#[test]
fn a_pipe_makes_artefacts_of_the_files_of_its_pod() {
    let name = "testinstance.test.phase.step.task.pipepod";
    let ready = |spec: Value| Object { spec, ..object("Pod", name, true) };
    let run = |file: Value, spec: Value, is_there: bool, is_failed: bool| {
        let text = json!({ "kind": "Pod", "name": "pod", "spec": spec }).to_string();
        let objects = match (is_there, is_failed) {
            (false, _) => vec![],
            (true, false) => vec![ready(spec)],
            (true, true) => vec![Object { spec, ..failed("Pod", name) }],
        };
        answer(pipe(file), with_templates([("pod.yaml", text)]), objects)
    };
    let mut spec = pod_spec();
    spec["files"] =
        json!({ "/tmp/f": "A=1\n# a remark\nB=2=3\n", "/tmp/large": "x".repeat(1024 * 1024 + 1) });
    for kind in ["Secret", "ConfigMap"] {
        for key in ["file", "envFile"] {
            let file = json!({ key: "/tmp/f", "kind": kind, "key": "k" });
            assert_eq!(run(file.clone(), spec.clone(), true, false), Answer::Done);
            assert_eq!(run(file, spec.clone(), false, false), Answer::Pending);
        }
    }
    let file = |path: &str| json!({ "file": path, "kind": "Secret", "key": "k" });
    for path in ["/tmp/large", "/tmp/absent"] {
        assert!(is_fatal(&run(file(path), spec.clone(), true, false), EventName::PipeTaskError), "{path}");
    }
    assert!(
        is_fatal(&run(file("/tmp/f"), spec.clone(), true, true), EventName::PipeTaskError),
        "it failed for good"
    );
    assert!(is_fatal(&run(file("/var/f"), spec, true, false), EventName::ResourceValidationError));
}

#[test]
fn names_of_artefacts_have_small_letters_and_digits_only() {
    let name = artefact_name("My_Instance", ["Plan-1", "ph", "st", "ta sk"], "KEY_a");
    assert_eq!(name, "myinstance.plan1.ph.st.task.keya");
}

/// What a nested operator's task answers, and the instance afterwards.
fn child(task: Task, before: Option<Instance>, params: &str) -> (Answer, Option<Instance>) {
    let mut plan = with_templates([("params.yaml", params.to_owned())]);
    plan.params = Arc::new(values([("P", json!("v"))]));
    inside(move |client| async move {
        for name in ["p-1", "p-2"] {
            let mut version = operator(&["deploy", "update"]);
            version.name = name.to_owned();
            version.parameters = vec![parameter("X")];
            client.put(("operator-version", name), &version).await.unwrap();
        }
        if let Some(before) = before {
            client.put(("instance", "test-instance-p"), &before).await.unwrap();
        }
        let metadata = metadata();
        let answer = match Kinds::reference().build(&task) {
            Ok(built) => built.run(&context(&client, &metadata, &plan)).await,
            Err(error) => Answer::Unbuilt(error.to_string()),
        };
        (answer, client.get(("instance", "test-instance-p")).await.unwrap())
    })
}

fn parameter(name: &str) -> fatum::systems::plan::instance::Parameter {
    fatum::systems::plan::instance::Parameter { name: name.to_owned(), ..Default::default() }
}

#[test]
fn a_nested_operator_is_created_patched_and_upgraded() {
    let task = |version: &str| nested(&[("package", "p"), ("operatorVersion", version)]);
    let with_file = nested(&[("package", "p"), ("operatorVersion", "1"), ("parameterFile", "params.yaml")]);
    let idle = Instance::new("p-1", BTreeMap::new());
    let (answer, made) = child(task("1"), None, "");
    let made = made.unwrap();
    assert_eq!((answer, made.spec.plan_execution.name.as_str()), (Answer::Pending, "deploy"));
    assert_eq!((made.spec.params.len(), made.spec.parent.as_str()), (0, "test-instance"));
    assert_eq!(child(task("1"), Some(made), "").0, Answer::Pending, "its plan is not at an end");
    assert_eq!(child(task("1"), Some(idle.clone()), "").0, Answer::Done);
    let (answer, patched) = child(with_file.clone(), Some(idle.clone()), r#"{"X": "{{ .Params.P }}"}"#);
    let patched = patched.unwrap();
    assert_eq!((answer, patched.spec.plan_execution.name.as_str()), (Answer::Pending, "update"));
    assert_eq!(patched.spec.params, values([("X", json!("v"))]));
    let (answer, upgraded) = child(task("2"), Some(idle.clone()), "");
    let upgraded = upgraded.unwrap();
    assert_eq!((answer, upgraded.spec.operator_version.as_str()), (Answer::Pending, "p-2"));
    assert_eq!(upgraded.spec.plan_execution.name, "update");
    let mut own = idle.clone();
    own.spec.params = values([("X", json!("v")), ("Y", json!("its own"))]);
    let with_value = child(with_file.clone(), Some(own.clone()), r#"{"X": "{{ .Params.P }}"}"#);
    assert_eq!((with_value.0, with_value.1.unwrap().spec.params), (Answer::Done, own.spec.params));
    let missing = nested(&[("package", "p"), ("operatorVersion", "1"), ("parameterFile", "other.yaml")]);
    assert!(is_fatal(&child(missing, None, "").0, EventName::TaskRenderingError));
    assert!(is_fatal(
        &child(with_file, None, r#"{"X": "{{ .Params.Q }}"}"#).0,
        EventName::TaskRenderingError
    ));
    assert!(
        matches!(child(task("3"), None, "").0, Answer::Transient(_)),
        "its operator version is not there yet"
    );
}

#[test]
fn a_nested_operator_whose_plan_failed_for_good_is_not_done() {
    let task = || nested(&[("package", "p"), ("operatorVersion", "1")]);
    let with = |plans: &[(&str, ExecutionStatus, u64)]| {
        let mut instance = Instance::new("p-1", BTreeMap::new());
        for (name, status, at) in plans {
            let last_updated = Some(fatum::systems::plan::Timestamp(*at));
            let status =
                PlanStatus { name: (*name).to_owned(), status: *status, last_updated, ..tree(*status, &[]) };
            let status = PlanStatus { name: (*name).to_owned(), ..status };
            instance.status.plans.insert((*name).to_owned(), status.into());
        }
        child(task(), Some(instance), "").0
    };
    let failed = with(&[("deploy", FatalError, 1)]);
    assert!(is_fatal(&failed, EventName::FailedTerminalStateError), "{failed:?}");
    assert!(is_fatal(
        &with(&[("deploy", Complete, 1), ("update", FatalError, 2)]),
        EventName::FailedTerminalStateError
    ));
    assert_eq!(
        with(&[("deploy", FatalError, 1), ("update", Complete, 2)]),
        Answer::Done,
        "it was mended since"
    );
    assert_eq!(with(&[("deploy", Complete, 1)]), Answer::Done);
}
