//! A catalog in memory, with reservations. Separate because it outlives the engine; it must not know who asks.

use super::{after, before, look};
use crate::emit;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::catalog::{Catalog, Reservation};
use crate::systems::plugin::context::TaskExecutionId;
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
    reserved: BTreeMap<String, Arc<str>>,
}

fn key(template: &TaskTemplate, inputs: &LiteralMap) -> String {
    let inputs = serde_json::to_string(inputs).expect("a map of JSON values is JSON");
    format!("{}:{inputs}", template.name)
}

/// The workflow that an attempt is of, as its name says: all but node and number.
fn owner(attempt: &str) -> Arc<str> {
    Arc::from(attempt.rsplitn(3, '-').nth(2).unwrap_or(attempt))
}

impl Shelf {
    /// An empty one.
    pub fn new() -> Shelf {
        Shelf::default()
    }

    /// The attempts that have reserved something.
    pub fn reserved(&self) -> Vec<Arc<str>> {
        self.books().reserved.values().cloned().collect()
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
        attempt: &'a str,
    ) -> BoxFuture<'a, Result<Reservation, CatalogError>> {
        Box::pin(async move {
            before("reserve", attempt).await?;
            let key = key(template, inputs);
            let holder = self.books().reserved.get(&key).cloned();
            match holder {
                Some(holder) if *holder == *attempt => return Ok(Reservation::Own),
                Some(holder) => return Ok(Reservation::Other(holder)),
                None => {}
            }
            self.books().reserved.insert(key, Arc::from(attempt));
            let (what, name) = (Made::Reservation, Arc::from(attempt));
            emit(PluginEvent::Made { what, name, workflow: owner(attempt) });
            after("reserve", attempt).await?;
            Ok(Reservation::Own)
        })
    }

    fn release<'a>(&'a self, attempt: &'a str) -> BoxFuture<'a, Result<(), CatalogError>> {
        Box::pin(async move {
            before("unreserve", attempt).await?;
            let held = {
                let mut books = self.books();
                let had = books.reserved.len();
                books.reserved.retain(|_, holder| **holder != *attempt);
                had > books.reserved.len()
            };
            if held {
                let (what, name) = (Made::Reservation, Arc::from(attempt));
                emit(PluginEvent::Freed { what, name, workflow: owner(attempt) });
                after("unreserve", attempt).await?;
            }
            Ok(())
        })
    }
}
