//! A YAML file that a person wrote: read within bounds, each mistake with its place. It must not know what files mean.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Options};

use crate::Error;

/// The largest file that is read, in bytes.
pub const SIZE_MAX: u64 = crate::text::SIZE_MAX;
/// Collections inside each other, at most.
const DEPTH_MAX: usize = 64;
/// Nodes of a file, at most: aliases count as what they stand for.
const NODES_MAX: usize = 200_000;
/// Nodes that aliases may stand for, in all.
const REPLAYED_MAX: usize = 20_000;

/// A text as a `T`.
///
/// # Errors
/// Where it is no YAML, or no `T`.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    if text.len() as u64 > SIZE_MAX {
        return Err(Error::input(format!("{} is larger than 1 MiB", path.display())));
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let error = error.without_snippet();
        let offset = error.location().map_or(0, |location| offset(text, &location));
        explained(error).at(path, text, offset)
    })
}

fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_depth: DEPTH_MAX,
        max_nodes: NODES_MAX,
        max_events: 2 * NODES_MAX,
        max_documents: 1,
        flow_nesting_limit: DEPTH_MAX,
    };
    let aliases = serde_saphyr::alias_limits! {
        max_total_replayed_events: REPLAYED_MAX,
        max_replay_stack_depth: 16,
    };
    serde_saphyr::options! { budget: budget, alias_limits: aliases, with_snippet: false, strict_booleans: true }
}

/// The byte of a line and column.
pub(super) fn offset(text: &str, location: &Location) -> usize {
    let line = usize::try_from(location.line()).unwrap_or(usize::MAX).saturating_sub(1);
    let column = usize::try_from(location.column()).unwrap_or(usize::MAX).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let here = &text[start.min(text.len())..];
    start + here.char_indices().nth(column).map_or(here.trim_end().len(), |(byte, _)| byte)
}

/// What a message of the parser means, with what is allowed and the nearest word.
fn explained(error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Yaml;
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => Error::one_of("key", field, expected),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => Error::one_of("value", variant, expected),
        Yaml::SerdeMissingField { field, .. } => Error::input(format!("the key `{field}` is missing here")),
        Yaml::SerdeInvalidType { unexpected, expected, .. } => {
            Error::input(format!("this is {unexpected}, and should be {expected}"))
        }
        Yaml::DuplicateMappingKey { key: Some(key), .. } => {
            Error::input(format!("the key `{key}` is here twice"))
        }
        Yaml::Budget { .. }
        | Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. } => {
            let help = format!(
                "at most {DEPTH_MAX} collections inside each other, {NODES_MAX} nodes, and {REPLAYED_MAX} by aliases"
            );
            Error::input("this is too deep or too much".to_owned()).help(help)
        }
        other => {
            let said = other.to_string();
            Error::input(said.lines().next().unwrap_or("this is no YAML").to_owned())
        }
    }
}
