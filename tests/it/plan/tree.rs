//! The status tree, as people see it.

use super::*;
use fatum::systems::plan::{Instance, status_tree};

fn version() -> OperatorVersion {
    let mut version = operator(&["validate", "zebra"]);
    let members: &[(&str, &[&str])] = &[("primary", &["task"]), ("replicas", &["task"])];
    let phases = vec![
        phase("storage", Strategy::Serial, &[("volumes", &["task"])]),
        phase("members", Strategy::Parallel, members),
        phase("schema", Strategy::Serial, &[("migrate", &["task"])]),
    ];
    version.plans.insert("deploy".to_owned(), Arc::new(plan(Strategy::Serial, phases)));
    version
}

#[test]
fn the_plan_that_was_executed_last_is_drawn_with_what_it_says() {
    let version = version();
    let mut instance = Instance::new("database-14.2-1.0.0", BTreeMap::new());
    instance.ensure_plan_status_initialized(&version);
    assert_eq!(
        status_tree("db", "default", &instance, &version),
        "No plan ever run for instance - nothing to show for instance db\n"
    );
    let deploy = instance.plan_mut("deploy").unwrap();
    deploy.status = InProgress;
    deploy.phases[0].status = Complete;
    deploy.phases[0].steps[0].status = Complete;
    deploy.phases[1].status = InProgress;
    deploy.phases[1].steps[0].set_with_message(
        Error,
        "A transient error when executing task deploy.members.primary.task. Will retry. dummy error",
    );
    deploy.phases[1].steps[1].status = InProgress;
    insta::assert_snapshot!(status_tree("db", "default", &instance, &version), @r#"
    Plan(s) for "db" in namespace "default":
    .
    └── db (Operator-Version: "database-14.2-1.0.0" Active-Plan: "deploy")
        ├── Plan deploy (serial strategy) [IN_PROGRESS]
        │   ├── Phase storage (serial strategy) [COMPLETE]
        │   │   └── Step volumes [COMPLETE]
        │   ├── Phase members (parallel strategy) [IN_PROGRESS]
        │   │   ├── Step primary [ERROR] (A transient error when executing task deploy.members.primary.task. Will retry. dummy error)
        │   │   └── Step replicas [IN_PROGRESS]
        │   └── Phase schema (serial strategy) [NEVER_RUN]
        │       └── Step migrate [NEVER_RUN]
        ├── Plan validate (serial strategy) [NOT ACTIVE]
        │   └── Phase phase (serial strategy) [NOT ACTIVE]
        │       └── Step step [NOT ACTIVE]
        └── Plan zebra (serial strategy) [NOT ACTIVE]
            └── Phase phase (serial strategy) [NOT ACTIVE]
                └── Step step [NOT ACTIVE]
    "#);
}

/// The events of plans in the trace of a pass.
fn told(active: &ActivePlan) -> String {
    let (active, metadata) = (active.clone(), metadata());
    let check = fatum::Check { failures_dir: None, ..fatum::Check::new("a pass") };
    let run = check.run_seed(1, move |sim: &mut Sim| {
        let (active, metadata) = (active.clone(), metadata.clone());
        sim.host("controller").run(move |host| async move {
            let (client, kinds) = (host.store(), Kinds::reference());
            let tasks = Tasks { kinds: &kinds, context: context(&client, &metadata, &active) };
            execute(&active, &metadata, &tasks, Options::default()).await;
        });
    });
    let text = fatum::trace::text::render(run.trace());
    let lines = text.lines().filter(|line| line.contains("plan.") && !line.contains("yield"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_trace_of_a_pass_says_what_ran_and_what_was_answered() {
    let steps: &[(&str, &[&str])] =
        &[("first", &["ok", "no"]), ("second", &["wait"]), ("third", &["bad", "ok"])];
    let spec = plan(Strategy::Serial, vec![phase("phase", Strategy::Parallel, steps)]);
    let status =
        tree(Pending, &[("phase", Pending, &[("first", Pending), ("second", Pending), ("third", Pending)])]);
    let active = active(status, Some(spec), &[done("ok"), failing("no"), pending("wait"), fatal("bad")]);
    insta::assert_snapshot!(told(&active), @r#"
    0ns  controller  plan.pass-started instance=test-instance plan=test uid= status=PENDING steps_complete=0
    0ns  controller  plan.task-started instance=test-instance task=phase.first.ok
    0ns  controller  plan.task-answered instance=test-instance task=phase.first.ok answer=done cause=
    0ns  controller  plan.task-started instance=test-instance task=phase.first.no
    0ns  controller  plan.task-answered instance=test-instance task=phase.first.no answer="transient error" cause="dummy error"
    0ns  controller  plan.task-started instance=test-instance task=phase.second.wait
    0ns  controller  plan.task-answered instance=test-instance task=phase.second.wait answer="not done" cause=
    0ns  controller  plan.task-started instance=test-instance task=phase.third.bad
    0ns  controller  plan.task-answered instance=test-instance task=phase.third.bad answer="fatal error" cause="dummy error"
    0ns  controller  plan.pass-finished instance=test-instance plan=test uid= status=FATAL_ERROR steps_complete=0 error="Error during execution: fatal error: default/test-instance failed in test.phase.third.bad: dummy error" input_kept=true
    "#);
}
