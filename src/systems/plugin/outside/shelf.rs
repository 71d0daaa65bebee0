//! A catalog in memory, with reservations. Separate because it outlives the engine; it must not know who asks.

use super::{after, before, look};
use crate::emit;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::catalog::{Catalog, Reservation};
use crate::systems::plugin::context::{OwnerId, TaskExecutionId};
use crate::systems::plugin::error::CatalogError;
use crate::systems::plugin::outputs::LiteralMap;
use crate::systems::plugin::record::{Made, PluginEvent};
use crate::systems::plugin::workflow::TaskTemplate;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Results of the past. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    results: BTreeMap<String, LiteralMap>,
    reserved: BTreeMap<String, Holder>,
}

/// Who has reserved something.
#[derive(Clone, Debug)]
struct Holder {
    attempt: Arc<str>,
    workflow: Arc<str>,
}

fn key(template: &TaskTemplate, inputs: &LiteralMap) -> String {
    let inputs = serde_json::to_string(inputs).expect("a map of JSON values is JSON");
    format!("{}:{inputs}", template.name)
}

impl Shelf {
    /// An empty one.
    pub fn new() -> Shelf {
        Shelf::default()
    }

    /// The attempts that have reserved something.
    pub fn reserved(&self) -> Vec<Arc<str>> {
        self.books().reserved.values().map(|holder| Arc::clone(&holder.attempt)).collect()
    }

    /// How many results there are.
    pub fn results(&self) -> usize {
        self.books().results.len()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalog for Shelf {
    fn get<'a>(
        &'a self,
        template: &'a TaskTemplate,
        inputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<Option<LiteralMap>, CatalogError>> {
        Box::pin(async move {
            look("get", &template.name).await?;
            let found = self.books().results.get(&key(template, inputs)).cloned();
            found.map(Some).ok_or(CatalogError::NotFound)
        })
    }

    fn put<'a>(
        &'a self,
        template: &'a TaskTemplate,
        _: &'a TaskExecutionId,
        inputs: &'a LiteralMap,
        outputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<(), CatalogError>> {
        Box::pin(async move {
            before("put", &template.name).await?;
            self.books().results.insert(key(template, inputs), outputs.clone());
            Ok(after("put", &template.name).await?)
        })
    }

    fn reserve<'a>(
        &'a self,
        template: &'a TaskTemplate,
        inputs: &'a LiteralMap,
        owner: &'a OwnerId,
        attempt: &'a str,
    ) -> BoxFuture<'a, Result<Reservation, CatalogError>> {
        Box::pin(async move {
            before("reserve", attempt).await?;
            let key = key(template, inputs);
            let holder = self.books().reserved.get(&key).cloned();
            match holder {
                Some(holder) if *holder.attempt == *attempt => return Ok(Reservation::Own),
                Some(holder) => return Ok(Reservation::Other(holder.attempt)),
                None => {}
            }
            let (name, workflow): (Arc<str>, Arc<str>) = (Arc::from(attempt), Arc::from(owner.name.as_str()));
            let holder = Holder { attempt: Arc::clone(&name), workflow: Arc::clone(&workflow) };
            self.books().reserved.insert(key, holder);
            emit(PluginEvent::Made { what: Made::Reservation, name, workflow });
            after("reserve", attempt).await?;
            Ok(Reservation::Own)
        })
    }

    fn release<'a>(&'a self, attempt: &'a str) -> BoxFuture<'a, Result<(), CatalogError>> {
        Box::pin(async move {
            before("unreserve", attempt).await?;
            let held = {
                let mut books = self.books();
                let is_its = |holder: &&Holder| *holder.attempt == *attempt;
                let held = books.reserved.values().find(is_its).cloned();
                books.reserved.retain(|_, holder| *holder.attempt != *attempt);
                held
            };
            if let Some(Holder { attempt: name, workflow }) = held {
                emit(PluginEvent::Freed { what: Made::Reservation, name, workflow });
                after("unreserve", attempt).await?;
            }
            Ok(())
        })
    }
}
