//! `fatum run --operator`: simulates the plans of an operator package, each in a world of its own, and prints the status
//! tree that each comes to, and how its run ended.
//!
//! Separate from the run of a scenario, because a package says plans and no world.

use super::output;
use crate::Error;
use crate::check::report::render_blocked;
use crate::check::{Check, story};
use crate::choice::tape::Tape;
use crate::fault::{FaultKind, FaultPlan, FaultRule};
use crate::sim::{Keep, Run};
use crate::store::Store;
use crate::systems::Workload;
use crate::systems::plan::definition::{CLEANUP, DEPLOY};
use crate::systems::plan::workload::PlanWorkload;
use crate::systems::plan::{Kinds, Package, status_tree};
use clap::ValueEnum;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong in the simulation of an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Faults {
    /// The controller crashes and stands still, writes and reads fail or are slow, jobs fail
    #[default]
    Default,
    /// Nothing: the run without any deviation
    None,
}

/// Runs one plan of a package, or all.
pub(super) fn carry_out(dir: &Path, plan: Option<&str>, seed: u64, faults: Faults) -> Result<u8, Error> {
    let package = Package::read(dir, &Kinds::reference())?;
    let names: Vec<&str> = package.plans.keys().map(String::as_str).collect();
    let chosen = match plan {
        Some(plan) if !names.contains(&plan) => return Err(Error::one_of("plan", plan, &names)),
        Some(plan) => vec![plan],
        None => names.clone(),
    };
    let mut code = 0;
    for plan in chosen {
        let workload = workload(&package, plan)?;
        let (run, tree) = simulated(&workload, seed, faults);
        output::say(&format!("== plan {plan} of {}\n", package.version_name()));
        output::say(&tree);
        told(&run, seed, faults);
        code = if code == 0 { run.end.exit_code() } else { code };
    }
    Ok(code)
}

/// The deployment, and then the plan. The clean-up comes with a deletion.
fn workload(package: &Package, plan: &str) -> Result<PlanWorkload, Error> {
    let acts: &[&str] = match plan {
        DEPLOY => &[DEPLOY],
        CLEANUP => &[DEPLOY, "delete"],
        plan => &[DEPLOY, plan],
    };
    let acts = acts.iter().map(|act| (*act).to_owned()).collect();
    PlanWorkload::new(package.clone(), acts).map_err(|error| Error::input(error.to_string()))
}

fn simulated(workload: &PlanWorkload, seed: u64, faults: Faults) -> (Run, String) {
    let kept: Mutex<Option<Store>> = Mutex::new(None);
    let program = |sim: &mut crate::Sim| {
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(sim.store());
        workload.set_up(sim, &[]);
    };
    let check = Check::new(workload.name()).faults(harm());
    let run = match faults {
        Faults::Default => crate::log::captured(|| check.run_seed(seed, program)),
        Faults::None => crate::log::captured(|| check.replay(&Tape::default(), Keep::Trace, program)),
    };
    let store = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    let tree = store
        .and_then(|store| workload.instance_of(&store))
        .map(|(instance, operator)| status_tree(workload.name(), "default", &instance, &operator));
    (
        run,
        tree.unwrap_or_else(|| format!("instance {} is gone, and its clean-up is complete", workload.name())),
    )
}

fn told(run: &Run, seed: u64, faults: Faults) {
    if run.end.is_failure() {
        output::say("");
        story(run).iter().for_each(|line| output::say(&format!("  {line}")));
        output::say("");
    }
    render_blocked(run).iter().for_each(|line| output::say(line));
    let what = match faults {
        Faults::Default => format!("seed {seed}, {} faults", run.faults_fired),
        Faults::None => "without faults".to_owned(),
    };
    output::say(&format!(
        "\n{what}: {} after {:?} of virtual time, trace {:016x}\n",
        run.end.sentence(),
        run.time,
        run.digests.trace
    ));
}

/// What every operator has to survive.
fn harm() -> FaultPlan {
    let second = Duration::from_secs(1);
    FaultPlan::none()
        .without_swarm()
        .with(FaultRule::own(FaultKind::Crash(4 * second), 0.02).at_host("controller"))
        .with(FaultRule::own(FaultKind::Pause(2 * second), 0.01).at_host("controller"))
        .with(FaultRule::new("store.write", FaultKind::Error, 0.05))
        .with(FaultRule::new("store.read", FaultKind::Error, 0.02))
        .with(FaultRule::new("store.write", FaultKind::Slow(2 * second), 0.05))
        .with(FaultRule::own(FaultKind::LostAnswer, 0.03))
        .with(FaultRule::own(FaultKind::Conflict, 0.03))
        .with(FaultRule::own(FaultKind::Missed, 0.03))
        .with(FaultRule::new("cluster.rollout", FaultKind::Error, 0.05))
        .with(FaultRule::new("cluster.rollout", FaultKind::Slow(20 * second), 0.1))
}
