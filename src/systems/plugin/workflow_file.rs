//! Workflow files: TOML that a person wrote, read with a bound, each mistake with its line and what is allowed. Separate
//! because a workflow itself knows no files; it must not know how workflows are run.
//!
//! ```toml
//! name = "train"
//!
//! [[task]]
//! name = "fetch"
//! type = "container"
//! outputs = ["rows"]
//!
//! [[node]]
//! name = "fetch"
//! task = "fetch"
//! min-attempts = 2
//!
//! [[node]]
//! name = "fit"
//! task = "fetch"
//! upstream = ["fetch"]
//! ```

use super::workflow::{Part, SpecError, WorkflowSpec};
use crate::Error;
use crate::text;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::path::Path;
use toml::Spanned;

/// The largest workflow file that is read, in bytes.
pub const SIZE_MAX: u64 = text::SIZE_MAX;

const WHAT: &str = "workflow";

/// Where the parts of a file are, read beside its meaning.
#[derive(Default, Deserialize)]
struct Places {
    #[serde(default)]
    task: Vec<Spanned<IgnoredAny>>,
    #[serde(default)]
    node: Vec<Spanned<NodePlaces>>,
}

#[derive(Deserialize)]
struct NodePlaces {
    #[serde(default)]
    upstream: Vec<Spanned<String>>,
}

/// Reads a workflow file.
///
/// # Errors
/// It cannot be read, is too large, is no text, or something in it is wrong: then where, and what is allowed.
pub fn read(path: &Path) -> Result<WorkflowSpec, Error> {
    parse(path, &text::read_filled(path, WHAT)?)
}

/// Reads a text that is the content of `path`.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, content: &str) -> Result<WorkflowSpec, Error> {
    if content.len() as u64 > SIZE_MAX {
        return Err(text::too_large(path, WHAT));
    }
    let spec: WorkflowSpec = toml::from_str(content).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        text::explained(error.message()).at(path, content, start)
    })?;
    spec.validate().map_err(|error| {
        let places: Places = toml::from_str(content).unwrap_or_default();
        helped(&error, &spec).at(path, content, places.start(error.part()))
    })?;
    Ok(spec)
}

impl Places {
    fn start(&self, part: Part) -> usize {
        let found = match part {
            Part::Whole => None,
            Part::Task(at) => self.task.get(at).map(|task| task.span().start),
            Part::Node(at) => self.node.get(at).map(|node| node.span().start),
            Part::Upstream(at, nth) => self
                .node
                .get(at)
                .and_then(|node| node.get_ref().upstream.get(nth))
                .map(|name| name.span().start),
        };
        found.unwrap_or(0)
    }
}

/// What is wrong, and the nearest name where one is unknown.
fn helped(error: &SpecError, spec: &WorkflowSpec) -> Error {
    let input = Error::input(error.to_string());
    match error {
        SpecError::UnknownUpstream { upstream, .. } => {
            let names: Vec<&str> = spec.nodes.iter().map(|node| node.name.as_str()).collect();
            near(input, upstream, &names)
        }
        SpecError::UnknownTask { task, .. } => {
            let names: Vec<&str> = spec.tasks.iter().map(|task| task.name.as_str()).collect();
            near(input, task, &names)
        }
        SpecError::Cycle { .. } => {
            input.help("a node runs after its parents: take one of these out of `upstream`")
        }
        SpecError::BadName { .. }
        | SpecError::Duplicate { .. }
        | SpecError::NoNodes
        | SpecError::TooManyNodes { .. }
        | SpecError::RepeatedUpstream { .. } => input,
    }
}

fn near(error: Error, found: &str, names: &[&str]) -> Error {
    match crate::error::nearest(found, names.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}
