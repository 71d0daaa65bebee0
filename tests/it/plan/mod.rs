//! Plans: the tables of the reference row by row, the rules around a pass, the properties, packages and scenarios.

mod admission;
mod around;
mod controller;
mod packages;
mod pass;
mod properties;
mod tasks;
#[cfg(feature = "tokio")]
mod tokio;
mod tree;
mod workload;

use fatum::Sim;
use fatum::store::Client;
use fatum::systems::plan::instance::OperatorVersion;
use fatum::systems::plan::task::OwnerLabel;
use fatum::systems::plan::{
    ActivePlan, ExecutionStatus, Kinds, Metadata, Options, Outcome, Phase, PhaseStatus, Plan, PlanStatus,
    Step, StepStatus, Strategy, Task, TaskContext, Tasks, execute,
};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ExecutionStatus::{Complete, Error, FatalError, InProgress, NeverRun, Pending, Unset};

fn metadata() -> Metadata {
    Metadata { namespace: "default".to_owned(), instance: "test-instance".to_owned() }
}

/// `name: strategy [step: task task, step: task]` as a phase.
fn phase(name: &str, strategy: Strategy, steps: &[(&str, &[&str])]) -> Phase {
    let steps = steps.iter().map(|(name, tasks)| Step {
        name: (*name).to_owned(),
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
    });
    Phase { name: name.to_owned(), strategy, steps: steps.collect() }
}

fn plan(strategy: Strategy, phases: Vec<Phase>) -> Plan {
    Plan { strategy, phases }
}

/// Steps and where they stand.
type Steps<'a> = &'a [(&'a str, ExecutionStatus)];

/// A status tree without messages.
fn tree(status: ExecutionStatus, phases: &[(&str, ExecutionStatus, Steps<'_>)]) -> PlanStatus {
    let phases = phases.iter().map(|(name, status, steps)| PhaseStatus {
        name: (*name).to_owned(),
        status: *status,
        message: String::new(),
        steps: steps
            .iter()
            .map(|(name, status)| StepStatus {
                name: (*name).to_owned(),
                status: *status,
                message: String::new(),
            })
            .collect(),
    });
    PlanStatus { name: "test".to_owned(), status, phases: phases.collect(), ..PlanStatus::default() }
}

fn done(name: &str) -> Task {
    Task::new(name, "Dummy", [("done", json!(true))])
}

fn pending(name: &str) -> Task {
    Task::new(name, "Dummy", [("done", json!(false))])
}

fn failing(name: &str) -> Task {
    Task::new(name, "Dummy", [("wantErr", json!(true)), ("done", json!(true))])
}

fn fatal(name: &str) -> Task {
    Task::new(name, "Dummy", [("wantErr", json!(true)), ("fatal", json!(true))])
}

fn active(status: PlanStatus, spec: Option<Plan>, tasks: &[Task]) -> ActivePlan {
    ActivePlan {
        name: "test".to_owned(),
        status,
        spec: spec.map(Arc::new),
        tasks: Arc::new(tasks.to_vec()),
        ..ActivePlan::default()
    }
}

/// The context of a task in a world.
fn context<'a>(client: &'a Client, metadata: &'a Metadata, plan: &'a ActivePlan) -> TaskContext<'a> {
    TaskContext {
        client,
        metadata,
        place: ["test", "phase", "step", "task"],
        params: &plan.params,
        templates: &plan.templates,
        pipes: &plan.pipes,
        enhancer: &OwnerLabel,
        discovery: None,
        memory: None,
        variant: Default::default(),
    }
}

/// One pass in a world of its own.
fn pass_with(active: &ActivePlan, options: Options) -> Outcome {
    let active = active.clone();
    inside(move |client| async move {
        let (kinds, metadata) = (Kinds::reference(), metadata());
        let tasks = Tasks { kinds: &kinds, context: context(&client, &metadata, &active) };
        execute(&active, &metadata, &tasks, options).await
    })
}

fn pass(active: &ActivePlan) -> Outcome {
    pass_with(active, Options::default())
}

/// What a main in a world of its own, with a store, comes to.
fn inside<F, T>(main: impl FnOnce(Client) -> F + 'static) -> T
where
    F: Future<Output = T> + 'static,
    T: 'static,
{
    let mut sim = Sim::new(1);
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    sim.host("controller").run(move |host| async move {
        let came_to = main(host.store().consistent()).await;
        *slot.borrow_mut() = Some(came_to);
    });
    let run = sim.finish();
    assert!(run.end.is_passed(), "{:?}", run.end);
    result.take().unwrap()
}

/// The statuses with their messages, and without times.
fn shown(status: &PlanStatus) -> Vec<String> {
    let line = |name: &str, status: ExecutionStatus, message: &str| format!("{name} {status} {message}");
    let mut lines = vec![line("P", status.status, &status.message)];
    for phase in &status.phases {
        lines.push(line(&phase.name, phase.status, &phase.message));
        lines.extend(phase.steps.iter().map(|step| line(&step.name, step.status, &step.message)));
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

fn values<const N: usize>(pairs: [(&str, Value); N]) -> BTreeMap<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An operator version with plans of one phase and one step, which is a dummy that is done.
fn operator(plans: &[&str]) -> OperatorVersion {
    let one = || plan(Strategy::Serial, vec![phase("phase", Strategy::Serial, &[("step", &["task"])])]);
    OperatorVersion {
        name: "operator".to_owned(),
        plans: plans.iter().map(|name| ((*name).to_owned(), Arc::new(one()))).collect(),
        tasks: vec![done("task")],
        ..OperatorVersion::default()
    }
}
