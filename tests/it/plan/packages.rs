//! Operator packages: the published ones are read and their plans run; what is wrong in one is told with its place.

use fatum::Sim;
use fatum::check::Check;
use fatum::choice::tape::Tape;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::sim::Keep;
use fatum::systems::Workload;
use fatum::systems::plan::definition::DEPLOY;
use fatum::systems::plan::instance::{INSTANCE, Instance};
use fatum::systems::plan::package::{Package, Texts};
use fatum::systems::plan::workload::{PlanWorkload, Shipped};
use fatum::systems::plan::{ExecutionStatus, Kinds, Strategy};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The published packages lie beside the project; none, and a line that says so, where they do not.
fn published() -> Vec<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let near = project.ancestors().map(|dir| dir.join("shared/data/operators"));
    let Some(dir) = near.into_iter().find(|dir| dir.is_dir()) else {
        println!("no published operators beside {}: nothing is read", project.display());
        return Vec::new();
    };
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.join("operator.yaml").is_file()).collect();
    found.sort();
    assert!(found.len() >= 6, "{found:?}");
    found
}

fn harm() -> FaultPlan {
    FaultPlan::none()
        .with(FaultRule::own(FaultKind::Crash(Duration::from_secs(4)), 0.02).at_host("controller"))
        .with(FaultRule::new("store.write", FaultKind::Error, 0.05))
        .with(FaultRule::own(FaultKind::LostAnswer, 0.05))
        .with(FaultRule::own(FaultKind::Conflict, 0.05))
        .with(FaultRule::new("cluster.rollout", FaultKind::Error, 0.05))
}

#[test]
fn every_plan_of_every_published_operator_completes_and_converges_under_faults() {
    for dir in published() {
        let package = Package::read(&dir, &Kinds::reference()).unwrap_or_else(|error| panic!("{error}"));
        assert!(!package.parameters.is_empty() && !package.tasks.is_empty(), "{}", dir.display());
        for plan in package.plans.keys() {
            let acts: Vec<&str> = if plan == DEPLOY { vec![DEPLOY] } else { vec![DEPLOY, plan] };
            let acts = acts.into_iter().map(str::to_owned).collect();
            let workload = PlanWorkload::new(package.clone(), acts).unwrap();
            let what = format!("{} {plan}", dir.display());
            complete(&workload, plan, &what);
            let check = Check { failures_dir: None, ..Check::new("harm") }.faults(harm());
            for seed in 0..3 {
                let run = check.run_seed(seed, |sim: &mut Sim| workload.set_up(sim, &[]));
                assert!(run.end.is_passed(), "{what}, seed {seed}: {}", run.end.sentence());
            }
        }
    }
}

/// Without faults the plan ends complete.
fn complete(workload: &PlanWorkload, plan: &str, what: &str) {
    let store = std::sync::Mutex::new(None);
    let check = Check { failures_dir: None, ..Check::new("no harm") };
    let program = |sim: &mut Sim| {
        *store.lock().unwrap() = Some(sim.store());
        workload.set_up(sim, &[]);
    };
    let run = check.replay(&Tape::default(), Keep::default(), program);
    assert!(run.end.is_passed(), "{what}: {}", run.end.sentence());
    let (instance, _) = workload.instance_of(store.lock().unwrap().as_ref().unwrap()).unwrap();
    assert_eq!(instance.status.plans[plan].status, ExecutionStatus::Complete, "{what}");
}

#[test]
fn the_operators_of_this_project_say_what_their_names_promise() {
    let database = Shipped::Database.package();
    assert_eq!(database.version_name(), "database-14.2-1.0.0");
    let names: Vec<&str> = database.plans.keys().map(String::as_str).collect();
    assert_eq!(names, ["backup", "cleanup", "deploy", "monitoring", "restore", "update"]);
    assert_eq!(database.plans["deploy"].phases.len(), 3);
    assert_eq!(database.plans["deploy"].phases[1].strategy, Strategy::Parallel);
    let replicas = database.parameters.iter().find(|parameter| parameter.name == "REPLICAS").unwrap();
    assert_eq!(replicas.default, Some(serde_json::json!("2")), "a number where a text is meant is its text");
    let broker = Shipped::Broker.package();
    assert_eq!(broker.plans["upgrade"].phases[1].steps.len(), 3);
}

const GOOD: &str = r#"apiVersion: kudo.dev/v1beta1
name: small
operatorVersion: "1.0"
tasks:
  - name: apply
    kind: Apply
    spec:
      resources:
        - a.yaml
  - name: toggle
    kind: Toggle
    spec:
      parameter: ON
      resources:
        - b.yaml
plans:
  deploy:
    strategy: serial
    phases:
      - name: main
        strategy: parallel
        steps:
          - name: all
            tasks:
              - apply
              - toggle
          - name: again
            tasks:
              - apply
"#;

const PARAMS: &str = "apiVersion: kudo.dev/v1beta1
parameters:
  - name: ON
    default: \"true\"
    trigger: deploy
  - name: SIZE
    type: integer
    default: 3
";

fn parse(operator: &str, params: &str) -> Result<Package, fatum::Error> {
    let texts = Texts {
        operator_path: Path::new("operator.yaml"),
        operator,
        params_path: Path::new("params.yaml"),
        params: Some(params),
    };
    Package::parse(&texts, &Kinds::reference())
}

/// The first line of the message and the help of a package in which one text is another.
fn mistake(from: &str, to: &str) -> String {
    let (operator, params) = (GOOD.replacen(from, to, 1), PARAMS.replacen(from, to, 1));
    assert!(operator != GOOD || params != PARAMS, "{from}");
    let said = parse(&operator, &params).expect_err(to).to_string();
    let lines: Vec<&str> =
        said.lines().filter(|line| line.contains(".yaml:") || line.starts_with("help")).collect();
    lines.join("\n")
}

#[test]
fn a_small_package_is_read() {
    let package = parse(GOOD, PARAMS).unwrap();
    assert_eq!((package.tasks.len(), package.parameters.len()), (2, 2));
    let templates = package.operator_version().templates;
    assert_eq!(templates.keys().collect::<Vec<_>>(), ["a.yaml", "b.yaml"]);
}

#[test]
fn mistakes_are_told_with_their_place_and_what_is_allowed() {
    let cases = [
        (
            "kind: Apply",
            "kind: Aply",
            "operator.yaml:6:11: there is no task kind `Aply`\nhelp: did you mean `Apply`? allowed: Apply, Delete, Dummy, KudoOperator, Pipe, Toggle",
        ),
        (
            "name: toggle",
            "name: apply",
            "operator.yaml:10:11: there are two tasks `apply`: the other is in line 5",
        ),
        (
            "- toggle",
            "- togle",
            "operator.yaml:26:17: there is no task `togle`\nhelp: did you mean `toggle`? allowed: apply, toggle",
        ),
        ("- toggle", "- apply", "operator.yaml:26:17: there are two tasks `apply`: the other is in line 25"),
        (
            "name: again",
            "name: all",
            "operator.yaml:27:19: there are two steps `all`: the other is in line 23",
        ),
        (
            "strategy: serial",
            "strategy: Serial",
            "operator.yaml:18:15: there is no strategy `Serial`\nhelp: did you mean `serial`? allowed: serial, parallel",
        ),
        (
            "strategy: parallel",
            "strategie: parallel",
            "operator.yaml:21:9: there is no key `strategie`\nhelp: did you mean `strategy`? allowed: name, strategy, steps",
        ),
        (
            "  deploy:",
            "  deply:",
            "operator.yaml:17:3: there is no plan `deploy`, which every operator needs",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(mistake(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn mistakes_in_tasks_and_keys_are_told() {
    let cases = [
        (
            "parameter: ON",
            "parameter: OFF",
            "operator.yaml:13:18: there is no parameter `OFF`\nhelp: allowed: ON, SIZE",
        ),
        (
            "resources:\n        - a.yaml",
            "resources: []",
            "operator.yaml:5:11: task `apply` cannot be built: task validation error: Apply task 'apply' has an empty resource list. if that's what you need, use a Dummy task instead",
        ),
        (
            "resources:\n        - a.yaml",
            "resorces: [a.yaml]",
            "operator.yaml:8:17: there is no setting of a task `resorces`\nhelp: did you mean `resources`? allowed: resources, parameter, done, wantErr, fatal, pod, pipe, package, instanceName, appVersion, operatorVersion, parameterFile",
        ),
        ("name: small\n", "", "operator.yaml:15:1: the key `name` is missing here"),
        (
            "v1beta1\nname",
            "v2\nname",
            "operator.yaml:1:13: there is no apiVersion `kudo.dev/v2`\nhelp: did you mean `kudo.dev/v1beta1`? allowed: kudo.dev/v1beta1",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(mistake(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn mistakes_in_parameters_are_told_in_their_own_file() {
    let cases = [
        (
            "trigger: deploy",
            "trigger: deplo",
            "params.yaml:5:14: there is no plan `deplo`\nhelp: did you mean `deploy`? allowed: deploy",
        ),
        (
            "type: integer",
            "type: int",
            "params.yaml:7:11: there is no type `int`\nhelp: did you mean `integer`? allowed: string, integer, number, boolean, array, map",
        ),
        (
            "default: 3",
            "default: three",
            "params.yaml:8:14: parameter `SIZE` cannot be \"three\": it is no integer",
        ),
        ("name: SIZE", "name: ON", "params.yaml:6:11: there are two parameters `ON`: the other is in line 3"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(mistake(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn what_is_empty_or_twice_is_refused_where_it_stands() {
    for (from, to, place) in [
        ("phases:\n      - name: main", "phases: []\n    #", "operator.yaml:"),
        (
            "            tasks:\n              - apply\n              - toggle",
            "            tasks: []",
            "operator.yaml:24:",
        ),
        ("name: main", "name: \"\"", "operator.yaml:20:"),
        ("operatorVersion: \"1.0\"", "operatorVersion: \"1.0\"\nname: other", "operator.yaml:4:1"),
        ("plans:", "plans: [", "operator.yaml:"),
        ("tasks:", "tasks: &t [*t]\nmore:", "operator.yaml:"),
    ] {
        let said = mistake(from, to);
        assert!(said.starts_with(place), "{from} -> {to}: {said}");
    }
}

#[test]
fn bombs_and_towers_are_refused() {
    let mut bomb = String::from("name: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(",");
        bomb += &format!("k{level}: &a{level} [{below}]\n");
    }
    let flow = format!("name: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let block: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let many = format!("{GOOD}maintainers: [{}]\n", "{name: a}, ".repeat(90_000));
    for text in [bomb, flow, block, many] {
        let error = parse(&text, PARAMS).expect_err("it is too much").to_string();
        assert!(error.starts_with("operator.yaml"), "{}", error.chars().take(200).collect::<String>());
    }
}

#[test]
fn every_prefix_and_every_wrong_byte_is_a_package_or_an_error() {
    for end in 0..GOOD.len() {
        let _ =
            parse(&GOOD[..end], PARAMS).map_err(|error| assert!(error.line_column().is_some(), "{error}"));
        let _ = parse(GOOD, &PARAMS[..end.min(PARAMS.len())]);
        for byte in ["\"", "[", ":", "\n", "- ", "*a", "&a ", "\t", "\0"] {
            let _ = parse(&format!("{}{byte}{}", &GOOD[..end], &GOOD[end + 1..]), PARAMS);
        }
    }
}

/// A directory of this test's own.
fn place(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("fatum-packages-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn nesting(name: &str, child: &str) -> String {
    format!(
        "name: {name}\noperatorVersion: \"1\"\ntasks:\n  - name: child\n    kind: KudoOperator\n    spec:\n      package: {child}\n      \
         operatorVersion: \"1\"\nplans:\n  deploy:\n    strategy: serial\n    phases:\n      - name: p\n        strategy: serial\n        \
         steps:\n          - name: s\n            tasks: [child]\n"
    )
}

#[test]
fn files_that_are_missing_too_large_or_no_text_are_told() {
    let dir = place("files");
    let said = || Package::read(&dir, &Kinds::reference()).unwrap_err().to_string();
    assert!(said().contains("cannot read") && said().contains("operator.yaml"), "{}", said());
    fs::write(dir.join("operator.yaml"), "x".repeat(10 << 20)).unwrap();
    assert!(said().ends_with("is no operator file: it is larger than 1 MiB"), "{}", said());
    fs::write(dir.join("operator.yaml"), b"name: a\n\xff").unwrap();
    assert!(said().ends_with("operator.yaml:2: not a text: byte 8 is not UTF-8"), "{}", said());
    fs::write(dir.join("operator.yaml"), GOOD).unwrap();
    fs::write(dir.join("params.yaml"), "p".repeat(10 << 20)).unwrap();
    assert!(said().ends_with("is no parameter file: it is larger than 1 MiB"), "{}", said());
}

#[test]
fn packages_that_name_each_other_in_a_circle_are_refused() {
    let dir = place("circle");
    for (name, child) in
        [("one", "two"), ("two", "three"), ("three", "two"), ("lonely", "nobody"), ("self", "self")]
    {
        fs::create_dir_all(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("operator.yaml"), nesting(name, child)).unwrap();
    }
    let said = |name: &str| Package::read(&dir.join(name), &Kinds::reference()).unwrap_err().to_string();
    assert!(
        said("one").contains(
            "three/operator.yaml:4:11: operators depend on each other in a circle: two -> three -> two"
        ),
        "{}",
        said("one")
    );
    assert!(said("self").contains("in a circle: self -> self"), "{}", said("self"));
    assert!(
        said("lonely").contains("operator.yaml:4:11: there is no package `nobody`"),
        "{}",
        said("lonely")
    );
}

#[test]
fn an_operator_inside_another_is_carried_out_as_its_task() {
    let dir = place("nested");
    for (name, text) in [("outer", nesting("outer", "small")), ("small", GOOD.to_owned())] {
        fs::create_dir_all(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("operator.yaml"), text).unwrap();
    }
    fs::write(dir.join("small/params.yaml"), PARAMS).unwrap();
    let package = Package::read(&dir.join("outer"), &Kinds::reference()).unwrap();
    assert_eq!(package.nested["small"].name, "small");
    let workload = PlanWorkload::new(package, vec![DEPLOY.to_owned()]).unwrap();
    let store = std::sync::Mutex::new(None);
    let check = Check { failures_dir: None, ..Check::new("nested") };
    let run = check.replay(&Tape::default(), Keep::default(), |sim: &mut Sim| {
        *store.lock().unwrap() = Some(sim.store());
        workload.set_up(sim, &[]);
    });
    assert!(run.end.is_passed(), "{}", run.end.sentence());
    let store = store.lock().unwrap().take().unwrap();
    for name in ["outer", "outer-small"] {
        let instance: Instance = store.peek((INSTANCE, name)).unwrap();
        assert_eq!(instance.status.plans[DEPLOY].status, ExecutionStatus::Complete, "{name}");
    }
}
