//! A workflow as a Graphviz drawing: a box per node with its phase, arrows from parents to children. Separate because
//! drawing is a language of its own; it must not compute anything about the workflow.

use super::model::NodePhase;
use super::status::WorkflowStatus;
use super::workflow::WorkflowSpec;
use std::fmt::Write as _;

/// Draws a workflow; with a status, as it stands.
pub fn dot(spec: &WorkflowSpec, status: Option<&WorkflowStatus>) -> String {
    let mut dot = String::from("digraph {\n  rankdir=LR\n  node [shape=box, style=filled]\n");
    let title = match status {
        None => spec.name.clone(),
        Some(status) => format!("{}: {}", spec.name, status.phase.name()),
    };
    line(&mut dot, &format!("label=\"{}\"", text(&title)));
    for (at, node) in spec.nodes.iter().enumerate() {
        let stands = status.map(|status| status.node(&node.name));
        let phase = stands.as_ref().map_or(NodePhase::NotYetStarted, |node| node.phase);
        let task = spec.task_of(node).map_or("no task", |task| task.task_type.as_str());
        let mut label = format!("{}\\n{}", text(&node.name), text(task));
        if let Some(stands) = &stands {
            // Writing to a string cannot fail.
            let _ = write!(label, "\\n{}", phase.name());
            if stands.attempts > 0 {
                let _ = write!(label, "\\nfailed attempts: {}", stands.attempts);
            }
            if let Some(error) = &stands.error {
                let _ = write!(label, "\\n{}", text(&error.to_string()));
            }
        }
        line(&mut dot, &format!("n{at} [label=\"{label}\", fillcolor={}]", fill(phase)));
    }
    for (at, node) in spec.nodes.iter().enumerate() {
        for upstream in &node.upstream {
            let parent = spec.nodes.iter().position(|node| node.name == *upstream);
            parent.iter().for_each(|parent| line(&mut dot, &format!("n{parent} -> n{at}")));
        }
    }
    dot.push_str("}\n");
    dot
}

fn line(dot: &mut String, line: &str) {
    dot.push_str("  ");
    dot.push_str(line);
    dot.push('\n');
}

fn fill(phase: NodePhase) -> &'static str {
    match phase {
        NodePhase::NotYetStarted => "white",
        NodePhase::Queued => "gray90",
        NodePhase::Running | NodePhase::Succeeding => "lightskyblue",
        NodePhase::Succeeded => "palegreen",
        NodePhase::RetryableFailure | NodePhase::Failing => "khaki",
        NodePhase::Failed | NodePhase::TimedOut => "pink",
        NodePhase::Skipped => "gray70",
    }
}

fn text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
