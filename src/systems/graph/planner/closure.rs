//! The transitive closure: what there is, fetched from the roots outward, some at a time. It must not know what is
//! wanted of it.

pub use crate::systems::BoxError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::resource::{Ownership, Resource, State};
use crate::systems::graph::action::BoxFuture;
use crate::systems::graph::event::Id;
use crate::task::{JoinError, JoinSet};

/// Fetches under way at a time.
const FETCHES_MAX: usize = 2;

/// Why the closure of some roots is not known.
#[derive(Debug, thiserror::Error)]
#[error("TransitiveClosure: {id}: {source}")]
pub struct ClosureError {
    /// The resource that was being looked at.
    pub id: Id,
    /// What went wrong: the fetch, what is done on each, or its references.
    pub source: BoxError,
}

/// Where resources are fetched from.
pub trait Fetch: Send + Sync + 'static {
    /// The resource as it is; none where there is none. Its [`Resource::ownership`] may be left unknown.
    fn fetch<'a>(&'a self, id: &'a Id) -> BoxFuture<'a, Result<Option<Resource>, BoxError>>;

    /// Looks at each resource right after it was fetched, and may change it: by default what is nobody's is managed.
    ///
    /// # Errors
    /// End the closure.
    fn on_get(&self, resource: &mut Resource) -> Result<(), BoxError> {
        if resource.ownership == Ownership::Unknown {
            resource.ownership = Ownership::Managed;
        }
        Ok(())
    }

    /// What it refers to.
    ///
    /// # Errors
    /// End the closure.
    fn out_refs(&self, resource: &Resource) -> Result<BTreeSet<Id>, BoxError> {
        Ok(resource.refs.clone())
    }
}

/// Fetches the roots and all that they lead to, each once. Resources that do not exist, or that are somebody else's, lead
/// nowhere; `external` are those known to be.
///
/// # Errors
/// The first that a fetch, or what is done on it, ends with: nothing more is begun then, and what is under way is
/// waited for.
pub async fn closure<F: Fetch>(
    from: &Arc<F>,
    roots: impl IntoIterator<Item = Id>,
    external: &BTreeSet<Id>,
) -> Result<Vec<Resource>, ClosureError> {
    let mut left: Vec<Id> = roots.into_iter().collect::<BTreeSet<Id>>().into_iter().rev().collect();
    let mut seen: BTreeSet<Id> = left.iter().cloned().collect();
    let (mut fetched, mut failed) = (BTreeMap::new(), None);
    let mut under_way = JoinSet::new();
    loop {
        while failed.is_none() && under_way.len() < FETCHES_MAX {
            let Some(id) = left.pop() else { break };
            let is_external = external.contains(&id);
            under_way.spawn(look(Arc::clone(from), id, is_external));
        }
        let Some(joined) = under_way.join_next().await else { break };
        match joined.unwrap_or_else(broken) {
            Ok((resource, refs)) => {
                left.extend(refs.into_iter().filter(|to| seen.insert(to.clone())));
                fetched.insert(resource.id.clone(), resource);
            }
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    failed.map_or(Ok(fetched.into_values().collect()), Err)
}

/// A fetch that did not end: its panic is the closure's.
fn broken<T>(error: JoinError) -> Result<T, ClosureError> {
    match error.try_into_panic() {
        Ok(payload) => std::panic::resume_unwind(payload),
        Err(cancelled) => Err(ClosureError { id: Id::from("?"), source: cancelled.into() }),
    }
}

/// One resource, and where it leads.
async fn look<F: Fetch>(
    from: Arc<F>,
    id: Id,
    is_external: bool,
) -> Result<(Resource, BTreeSet<Id>), ClosureError> {
    let looked = async {
        let mut resource = from
            .fetch(&id)
            .await?
            .unwrap_or_else(|| Resource { state: State::DoesNotExist, ..Resource::unknown(id.clone()) });
        if is_external {
            resource.ownership = Ownership::External;
        }
        from.on_get(&mut resource)?;
        let leads = resource.state == State::Exists && resource.ownership != Ownership::External;
        let refs = if leads { from.out_refs(&resource)? } else { BTreeSet::new() };
        Ok((resource, refs))
    };
    looked.await.map_err(|source| ClosureError { id: id.clone(), source })
}
