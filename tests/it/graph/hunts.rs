//! Whole sweeps over graphs: planted bugs are found, shrunk and named; the correct engine survives the same harm.

use fatum::Sim;
use fatum::choice::tape::Tape;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::{End, LeakPolicy};
use fatum::systems::graph::workload::{Workload, run};
use fatum::systems::graph::{Punctuality, Variant, install, judge_sweep};

/// The plans of a load balancer under every fault that an action can meet.
const PROVISIONING: &str = r#"
executor = { error-strategy = "stop-on-error", timeout = "10s", orphan-timeout = "3s" }
behaviour = { duration = "200ms", timeout = "2s", retry = { delay = "100ms", attempts-max = 3 } }
graph.load-balancer = { workflow = "retarget" }
"#;

fn harm() -> FaultPlan {
    [FaultKind::Error, FaultKind::Hang, FaultKind::Cancel]
        .into_iter()
        .fold(FaultPlan::none(), |plan, kind| plan.with(FaultRule::new("action.run", kind, 0.05)))
}

fn workload(text: &str, variant: Variant) -> Workload {
    let mut workload: Workload = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    workload.executor.variant = variant;
    workload
}

/// One run, judged by all properties inside the simulation; seed 0 is the baseline.
fn end(workload: &Workload, plan: FaultPlan, punctuality: Punctuality, seed: u64) -> End {
    let builder = Sim::builder().leaks(LeakPolicy::Allow).faults(plan);
    let builder = if seed == 0 { builder.tape(&Tape::default()) } else { builder.seed(seed) };
    let mut sim = builder.build();
    install(&mut sim, punctuality);
    let workload = workload.clone();
    sim.run(async move { drop(run(&workload).await) });
    sim.finish().end
}

#[test]
fn provisioning_survives_every_fault_of_its_actions() {
    let workload = workload(PROVISIONING, Variant::Correct);
    for seed in 0..2000 {
        assert_eq!(end(&workload, harm(), Punctuality::Exact, seed), End::Passed, "seed {seed}");
    }
}

#[test]
fn provisioning_survives_tasks_and_timers_held_back() {
    let workload = workload(PROVISIONING, Variant::Correct);
    let plan = || harm().with(FaultRule::stall(0.02)).with(FaultRule::late_timer(0.02));
    for seed in 0..2000 {
        assert_eq!(end(&workload, plan(), Punctuality::Late, seed), End::Passed, "seed {seed}");
    }
}

/// Random graphs, any strategy and any way to stop.
#[test]
fn random_graphs_survive() {
    let executors = [
        "mode = \"parallel\"",
        "mode = \"serial\"",
        "workers = 5, timeout = \"60ms\", orphan-timeout = \"10ms\"",
        "workers = 3, timeout = \"60ms\", orphan-timeout = \"10ms\", on-stop = \"abort\"",
        "workers = 4, error-strategy = \"stop-on-error\", order = \"critical-path\"",
    ];
    for executor in executors {
        let text = format!(
            "executor = {{ {executor} }}\nbehaviour = {{ duration = \"10ms\", timeout = \"1s\" }}\n\
             graph.random = {{ nodes = 20, edge-percent = 15 }}"
        );
        let workload = workload(&text, Variant::Correct);
        for seed in 0..400 {
            let ended = end(&workload, harm(), Punctuality::Exact, seed);
            assert_eq!(ended, End::Passed, "{executor}, seed {seed}");
        }
    }
}

#[test]
fn undisturbed_runs_of_a_sweep_agree() {
    for (dry_run, text) in [("", "true"), ("", "false")].map(|(_, dry)| (dry, format!("dry-run = {dry}"))) {
        let text = format!(
            "executor = {{ {text} }}\nbehaviour = {{ duration = \"10ms\" }}\ngraph.star = {{ fan-out = 9 }}"
        );
        let workload = workload(&text, Variant::Correct);
        let mut facts = Vec::new();
        for seed in 0..100 {
            let mut sim = Sim::new(seed);
            let seen = install(&mut sim, Punctuality::Exact);
            let workload = workload.clone();
            sim.run(async move { drop(run(&workload).await) });
            assert_eq!(sim.finish().end, End::Passed, "dry run: {dry_run}");
            facts.extend(seen.runs());
        }
        assert_eq!((facts.len(), judge_sweep(&facts)), (100, Ok(())));
    }
}

/// A bug, the property it breaks, and a workload whose baseline run passes although the bug is in.
const HUNTS: [(Variant, &str, &str); 5] = [
    (Variant::QueuedVanish, "conservation", STOPPING_STAR),
    (Variant::TokenUnderLock, "liveness", "overdue-after = \"60s\"\ngraph.star = { fan-out = 150 }"),
    (Variant::UnvisitedDropped, "conservation", STOPPING_ROOTS),
    (Variant::AddAfterDone, "queue", STOPPING_ROOTS),
    (Variant::SuccessBeforeErrorCheck, "causality", PROVISIONING_CONTINUED),
];

const STOPPING_STAR: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "200ms" }
graph.star = { fan-out = 6 }
"#;

const STOPPING_ROOTS: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "10ms" }
graph.actions = [
  { name = "a" }, { name = "b" },
  { name = "a1", wants = ["a"] }, { name = "a2", wants = ["a"] }, { name = "a3", wants = ["a"] },
]
"#;

const PROVISIONING_CONTINUED: &str = r#"
behaviour = { duration = "200ms" }
graph.load-balancer = { workflow = "create" }
"#;

#[test]
fn planted_bugs_hide_in_the_baseline_and_are_found_in_a_sweep() {
    let plan = || FaultPlan::none().with(FaultRule::new("action.run", FaultKind::Error, 0.1));
    for (variant, property, text) in HUNTS {
        let planted = workload(text, variant);
        assert_eq!(end(&planted, plan(), Punctuality::Exact, 0), End::Passed, "{variant} in the baseline");
        let found = (1..2000).find_map(|seed| match end(&planted, plan(), Punctuality::Exact, seed) {
            End::Passed => None,
            End::Violated { property, .. } => Some(property),
            other => panic!("{variant}, seed {seed}: {other:?}"),
        });
        assert_eq!(found.as_deref(), Some(property), "{variant}");
        let correct = workload(text, Variant::Correct);
        for seed in 0..100 {
            let ended = end(&correct, plan(), Punctuality::Exact, seed);
            assert_eq!(ended, End::Passed, "the twin of {variant}, seed {seed}");
        }
    }
}
