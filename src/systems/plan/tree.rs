//! The status tree of an instance, as `kubectl kudo plan status` draws it. It draws and decides nothing.

use std::fmt::Write;

use super::definition::Plan;
use super::instance::{Instance, OperatorVersion};
use super::status::PlanStatus;

/// A line and those below it.
struct Branch {
    text: String,
    below: Vec<Branch>,
}

impl Branch {
    fn leaf(text: String) -> Branch {
        Branch { text, below: Vec::new() }
    }

    fn draw(&self, indent: &str, is_last: bool, to: &mut String) {
        let (knot, stroke) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let _ = writeln!(to, "{indent}{knot}{}", self.text);
        let below = format!("{indent}{stroke}");
        for (place, branch) in self.below.iter().enumerate() {
            branch.draw(&below, place + 1 == self.below.len(), to);
        }
    }
}

/// The plans of an instance: the one that was executed last with its phases and steps, the others as not active.
pub fn status_tree(name: &str, namespace: &str, instance: &Instance, operator: &OperatorVersion) -> String {
    let Some(last) = instance.last_executed_plan() else {
        return format!("No plan ever run for instance - nothing to show for instance {name}\n");
    };
    let version = &instance.spec.operator_version;
    let plans = operator.plans.iter().map(|(plan, spec)| match *plan == last.name {
        true => active(spec, last),
        false => inactive(plan, spec),
    });
    let root = Branch {
        text: format!("{name} (Operator-Version: \"{version}\" Active-Plan: \"{}\")", last.name),
        below: plans.collect(),
    };
    let mut drawn = format!("Plan(s) for \"{name}\" in namespace \"{namespace}\":\n.\n");
    root.draw("", true, &mut drawn);
    drawn
}

fn active(spec: &Plan, status: &PlanStatus) -> Branch {
    let phases = status.phases.iter().map(|phase| {
        let known = spec.phases.iter().find(|known| known.name == phase.name);
        let strategy = known.map_or("", |known| known.strategy.name());
        let steps = phase
            .steps
            .iter()
            .map(|step| Branch::leaf(format!("Step {} [{}]{}", step.name, step.status, said(&step.message))));
        let (name, status, said) = (&phase.name, phase.status, said(&phase.message));
        Branch {
            text: format!("Phase {name} ({strategy} strategy) [{status}]{said}"),
            below: steps.collect(),
        }
    });
    let (name, strategy, said) = (&status.name, spec.strategy, said(&status.message));
    let text = format!("Plan {name} ({strategy} strategy) [{}]{said}", status.status);
    Branch { text, below: phases.collect() }
}

fn inactive(name: &str, spec: &Plan) -> Branch {
    let phases = spec.phases.iter().map(|phase| {
        let steps = phase.steps.iter().map(|step| Branch::leaf(format!("Step {} [NOT ACTIVE]", step.name)));
        let text = format!("Phase {} ({} strategy) [NOT ACTIVE]", phase.name, phase.strategy);
        Branch { text, below: steps.collect() }
    });
    Branch { text: format!("Plan {name} ({} strategy) [NOT ACTIVE]", spec.strategy), below: phases.collect() }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}
