//! How each workflow must end: as it would without faults, computed from what was asked for alone. It must not know what
//! the engine did.

use super::{Plugins, World};
use crate::sim::Sim;
use crate::store::Store;
use crate::systems::plugin::engine::Generation;
use crate::systems::plugin::error::ErrorKind;
use crate::systems::plugin::model::WorkflowPhase;
use crate::systems::plugin::properties::Observed;
use crate::systems::plugin::retry::{Counts, Limits, eligible};
use crate::systems::plugin::status::{WORKFLOW, Workflow};
use crate::systems::plugin::workflow::{Ends, NodeSpec, WorkflowSpec};

const WRITES: [&str; 3] = ["store.created", "store.updated", "store.deleted"];

/// Installs what must come to hold.
pub(super) fn install(sim: &mut Sim, plugins: &Plugins, world: &World, observed: Observed) {
    let (store, asked) = (sim.store(), plugins.clone());
    sim.converges_reading("ends-as-asked", &WRITES, move || match unmet(&asked, &store).first() {
        None => Ok(()),
        Some(unmet) => Err(unmet.clone()),
    });
    let world = world.clone();
    let reads = ["plugin.made", "plugin.freed", WRITES[1], WRITES[2]];
    sim.converges_reading("nothing-left", &reads, move || {
        if let Some(held) = observed.properties().held().first() {
            return Err(format!("{held} is still there"));
        }
        let (tokens, remembered) = (world.tokens.in_use(), world.lookaside.len());
        if tokens + remembered > 0 {
            return Err(format!("{tokens} tokens are held, {remembered} commands are remembered"));
        }
        match world.shelf.reserved().first() {
            None => Ok(()),
            Some(attempt) => Err(format!("the reservation of {attempt} is still there")),
        }
    });
}

/// What has not ended as it should, in words.
pub(super) fn unmet(plugins: &Plugins, store: &Store) -> Vec<String> {
    plugins.workflows.iter().filter_map(|workflow| unmet_of(plugins, workflow, store)).collect()
}

fn unmet_of(plugins: &Plugins, spec: &WorkflowSpec, store: &Store) -> Option<String> {
    let name = &spec.name;
    let found: Option<Workflow> = store.peek((WORKFLOW, name.as_str()));
    if plugins.submission(name).delete_after.is_some() {
        return found.map(|_| format!("workflow {name} was deleted, and is still there"));
    }
    let Some(found) = found else { return Some(format!("workflow {name} is not there")) };
    let wanted = expected(plugins, spec);
    if found.status.phase == wanted && !found.metadata.is_held() {
        return None;
    }
    let (is, message) = (found.status.phase.name(), found.status.message.unwrap_or_default());
    Some(format!("workflow {name} should end in {} and is {is}: {message}", wanted.name()))
}

/// How a workflow ends that nobody deletes.
fn expected(plugins: &Plugins, spec: &WorkflowSpec) -> WorkflowPhase {
    match spec.nodes.iter().all(|node| succeeds(plugins, spec, node)) {
        true => WorkflowPhase::Success,
        false => WorkflowPhase::Failed,
    }
}

fn succeeds(plugins: &Plugins, spec: &WorkflowSpec, node: &NodeSpec) -> bool {
    let Some(task) = spec.task_of(node) else { return node.runs_nothing() };
    let mut counts = Counts::default();
    loop {
        let blame = match task.work.end(counts.attempts) {
            Ends::Ok => return true,
            Ends::NoOutputs if task.outputs.is_empty() => return true,
            Ends::NonRecoverable | Ends::Never => return false,
            Ends::Recoverable | Ends::NoOutputs => ErrorKind::User,
            Ends::Lost | Ends::Deleted => ErrorKind::System,
        };
        if !goes_on(plugins, node, counts, blame) {
            return false;
        }
        counts.attempts += 1;
        counts.system_failures += u32::from(blame == ErrorKind::System);
    }
}

/// Whether another attempt follows one that failed.
fn goes_on(plugins: &Plugins, node: &NodeSpec, counts: Counts, blame: ErrorKind) -> bool {
    let config = plugins.config();
    match config.generation {
        Generation::First => counts.attempts + 1 < node.min_attempts.unwrap_or(0),
        Generation::Successor => {
            eligible(counts, Limits::of(node.retries(), config.limits, config.honours_one), blame).0
        }
    }
}
