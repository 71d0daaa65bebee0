//! Results of the past by task and inputs, and who is computing one now. Separate because it is a service of its own; it
//! must not know the engine.

use super::BoxFuture;
use super::context::{OwnerId, TaskExecutionId};
use super::error::CatalogError;
use super::outputs::LiteralMap;
use super::workflow::TaskTemplate;
use std::sync::Arc;

/// Whose a reservation is, after one was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The asker's.
    Own,
    /// That of this attempt.
    Other(Arc<str>),
}

/// Results of the past.
pub trait Catalog: Send + Sync {
    /// The outputs that were put for these inputs. No answer is an error of the caller's: "not found" is one of its own.
    ///
    /// # Errors
    /// There are none, or the catalog failed.
    fn get<'a>(
        &'a self,
        template: &'a TaskTemplate,
        inputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<Option<LiteralMap>, CatalogError>>;

    /// Puts the outputs of an attempt.
    ///
    /// # Errors
    /// The catalog failed.
    fn put<'a>(
        &'a self,
        template: &'a TaskTemplate,
        id: &'a TaskExecutionId,
        inputs: &'a LiteralMap,
        outputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<(), CatalogError>>;

    /// Reserves the computation for an attempt of a workflow, or says who has it.
    ///
    /// # Errors
    /// The catalog failed.
    fn reserve<'a>(
        &'a self,
        template: &'a TaskTemplate,
        inputs: &'a LiteralMap,
        owner: &'a OwnerId,
        attempt: &'a str,
    ) -> BoxFuture<'a, Result<Reservation, CatalogError>>;

    /// Gives back what an attempt reserved, if it did.
    ///
    /// # Errors
    /// The catalog failed.
    fn release<'a>(&'a self, attempt: &'a str) -> BoxFuture<'a, Result<(), CatalogError>>;
}

/// What becomes of a node whose task's results are computed once (successor), before its task is called. Pure.
///
/// | was | results | reservation | becomes |
/// |---|---|---|---|
/// | not yet started or queued | there | any | succeeded |
/// | not yet started | none | any | queued |
/// | queued | none | another's | queued |
/// | queued | none | its own | running |
/// | running | any | any | running |
pub fn cache_step(
    phase: super::model::NodePhase,
    is_hit: bool,
    reservation: Option<&Reservation>,
) -> super::model::NodePhase {
    use super::model::NodePhase;
    match (phase, is_hit, reservation) {
        (NodePhase::NotYetStarted | NodePhase::Queued | NodePhase::RetryableFailure, true, _) => {
            NodePhase::Succeeded
        }
        (NodePhase::NotYetStarted, false, _) => NodePhase::Queued,
        (NodePhase::Queued | NodePhase::RetryableFailure, false, Some(Reservation::Other(_))) => phase,
        (NodePhase::Queued | NodePhase::RetryableFailure, false, Some(Reservation::Own) | None) => {
            NodePhase::Running
        }
        (other, _, _) => other,
    }
}
