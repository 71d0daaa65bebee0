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
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toml::Spanned;

/// The largest workflow file that is read, in bytes.
pub const SIZE_MAX: u64 = 1 << 20;

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
    let refused = |source| Error::io("read", path, source);
    if std::fs::metadata(path).map_err(refused)?.is_dir() {
        return Err(Error::input(format!("{} is a directory, not a workflow file", path.display())));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refused)?;
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > SIZE_MAX {
        let message = format!("{} is no workflow file: it is larger than 1 MiB", path.display());
        return Err(Error::input(message));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::input(format!("{}:{line}: not a text: byte {offset} is not UTF-8", path.display()))
    })?;
    if text.trim().is_empty() {
        return Err(Error::input(format!("{} is empty, not a workflow file", path.display())));
    }
    parse(path, &text)
}

/// Reads a text that is the content of `path`.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str) -> Result<WorkflowSpec, Error> {
    if text.len() as u64 > SIZE_MAX {
        let message = format!("{} is no workflow file: it is larger than 1 MiB", path.display());
        return Err(Error::input(message));
    }
    let spec: WorkflowSpec = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        explained(error.message()).at(path, text, start)
    })?;
    spec.validate().map_err(|error| {
        let places: Places = toml::from_str(text).unwrap_or_default();
        helped(&error, &spec).at(path, text, places.start(error.part()))
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

/// What a message of the parser means, with what is allowed.
fn explained(message: &str) -> Error {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let allowed = quoted.get(1..).unwrap_or_default();
    match quoted.first() {
        Some(found) if message.starts_with("unknown field") => Error::one_of("key", found, allowed),
        Some(found) if message.starts_with("unknown variant") => Error::one_of("value", found, allowed),
        Some(missing) if message.starts_with("missing field") => {
            Error::input(format!("the key `{missing}` is missing here"))
        }
        Some(_) | None => match message.split_once("\nhelp: ") {
            Some((message, help)) => Error::input(message).help(help),
            None => Error::input(message.trim_end().replace('\n', ", ")),
        },
    }
}
