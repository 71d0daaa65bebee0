//! The largest sizes that a file may ask for: a slip of a zero ends in a message, not in a machine without memory.
//! Separate because nothing but reading a file is bounded; it must not know what the sizes mean.

use std::num::NonZeroUsize;

use serde::de::{Deserialize, Deserializer, Error};

/// Leaves of a star and links of a chain.
const ACTIONS_MAX: u32 = 10_000;
/// Nodes of a random graph, which has an edge to draw for every two.
const NODES_MAX: u32 = 1_000;
/// Workers, each of which is a task.
const WORKERS_MAX: usize = 1_000;

pub(super) fn actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let given = u32::deserialize(deserializer)?;
    if given <= ACTIONS_MAX { Ok(given) } else { Err(too_many(given, ACTIONS_MAX)) }
}

pub(super) fn nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let given = u32::deserialize(deserializer)?;
    if given <= NODES_MAX { Ok(given) } else { Err(too_many(given, NODES_MAX)) }
}

pub(super) fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroUsize>, D::Error> {
    let given = NonZeroUsize::deserialize(deserializer)?;
    if given.get() <= WORKERS_MAX { Ok(Some(given)) } else { Err(too_many(given, WORKERS_MAX)) }
}

fn too_many<E: Error>(given: impl std::fmt::Display, max: impl std::fmt::Display) -> E {
    E::custom(format!("{given} is too many\nhelp: at most {max} are possible here"))
}
