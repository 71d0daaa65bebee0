//! From a workload to the actions of each step. Separate because drawing a graph is chance and nothing else here is;
//! it must not run anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::leaf::Leaf;
use super::{ActionSpec, Behaviour, Cloud, GraphSource, Workload, workflow};
use crate::systems::graph::action::{ActionBase, ActionType, SharedAction};
use crate::systems::graph::event::{Event, Id};
use crate::systems::graph::planner::{ActionShape, Operation, PlanError, ResourceGraph, plan};

/// One run of a workload.
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done in a step.
pub enum Work {
    /// These actions.
    Listed(Vec<SharedAction<Cloud>>),
    /// Whatever leads from what there is to these resources.
    Wanted(ResourceGraph),
}

impl Workload {
    /// The steps; a random graph is drawn now.
    pub fn steps(&self) -> Vec<Step> {
        let one = |actions: Vec<SharedAction<Cloud>>| vec![Step { name: "run", work: Work::Listed(actions) }];
        match &self.graph {
            GraphSource::Actions(specs) => one(specs.iter().map(|spec| self.listed(spec)).collect()),
            GraphSource::Star(star) => one(self.star(star.fan_out)),
            GraphSource::Chain(chain) => one(self.chain(chain.length)),
            GraphSource::Random(random) => one(self.random(random.nodes, random.edge_percent)),
            GraphSource::LoadBalancer(load_balancer) => {
                let step = |(name, wanted)| Step { name, work: Work::Wanted(wanted) };
                workflow::steps(load_balancer).into_iter().map(step).collect()
            }
        }
    }

    /// The actions of a step, planned now if they are not listed.
    ///
    /// # Errors
    /// They cannot be planned.
    pub async fn actions(
        &self,
        work: Work,
        cloud: &Arc<Cloud>,
    ) -> Result<Vec<SharedAction<Cloud>>, PlanError> {
        match work {
            Work::Listed(actions) => Ok(actions),
            Work::Wanted(wanted) => {
                let plan = plan(cloud, wanted).await?;
                Ok(plan.actions.iter().map(|shape| self.shaped(shape)).collect())
            }
        }
    }

    fn behaviour_of(&self, name: &str) -> Behaviour {
        self.overrides.get(name).unwrap_or(&self.behaviour).clone()
    }

    fn listed(&self, spec: &ActionSpec) -> SharedAction<Cloud> {
        let signals = spec.signals.clone().unwrap_or_else(|| vec![spec.name.clone()]);
        let base = ActionBase::new(spec.name.as_str())
            .kind(spec.kind)
            .priority(spec.priority)
            .wants(spec.wants.iter().map(|text| event(text)))
            .emits(signals.iter().map(|text| event(text)));
        let behaviour = spec.behaviour.clone().unwrap_or_else(|| self.behaviour_of(&spec.name));
        Leaf { base, operation: Operation::Touch(Id::from(spec.name.as_str())), behaviour }.build()
    }

    fn shaped(&self, shape: &ActionShape) -> SharedAction<Cloud> {
        let base = ActionBase::new(shape.name.as_str())
            .kind(shape.kind)
            .wants(shape.wants.iter().cloned())
            .emits(shape.emits.iter().cloned());
        let behaviour = match shape.kind {
            ActionType::Meta => self.overrides.get(&shape.name).cloned().unwrap_or_default(),
            ActionType::Create | ActionType::Delete | ActionType::Update | ActionType::Custom => {
                self.behaviour_of(&shape.name)
            }
        };
        Leaf { base, operation: shape.operation.clone(), behaviour }.build()
    }

    fn generated(&self, name: String, wants: BTreeSet<Event>) -> SharedAction<Cloud> {
        let emits = [Event::exists(name.as_str())];
        let behaviour = self.behaviour_of(&name);
        let operation = Operation::Touch(Id::from(name.as_str()));
        Leaf { base: ActionBase::new(name).wants(wants).emits(emits), operation, behaviour }.build()
    }

    fn star(&self, fan_out: u32) -> Vec<SharedAction<Cloud>> {
        let root = self.generated("root".to_owned(), BTreeSet::new());
        let leaf = |number| self.generated(format!("leaf-{number}"), BTreeSet::from([Event::exists("root")]));
        std::iter::once(root).chain((0..fan_out).map(leaf)).collect()
    }

    fn chain(&self, length: u32) -> Vec<SharedAction<Cloud>> {
        let link = |number: u32| {
            let before = number.checked_sub(1).map(|before| Event::exists(format!("link-{before}")));
            self.generated(format!("link-{number}"), before.into_iter().collect())
        };
        (0..length).map(link).collect()
    }

    fn random(&self, nodes: u32, edge_percent: u32) -> Vec<SharedAction<Cloud>> {
        let mut rng = crate::rand::rng();
        // The baseline draw is 0 and must be no edge.
        let mut draws_edge = || rng.below(100) + u64::from(edge_percent) >= 100;
        let mut node = |number: u32| {
            let before = (0..number).filter(|_| draws_edge());
            let wants = before.map(|before| Event::exists(format!("node-{before}"))).collect();
            self.generated(format!("node-{number}"), wants)
        };
        (0..nodes).map(&mut node).collect()
    }
}

fn event(text: &str) -> Event {
    match text.parse() {
        Ok(event) => event,
        Err(never) => match never {},
    }
}
