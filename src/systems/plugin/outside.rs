//! The world outside the engine, simulated: a cluster, a service of queries with its tokens, files, a catalog, the control
//! plane. Calls may be slow, fail before they had an effect, or take effect and lose their answer; after each effect the
//! caller's host may crash. Separate from executors, which act on it; it must not know the engine.
//!
//! | site | what happens |
//! |---|---|
//! | `effect` on `what name` | an error or a delay before the effect |
//! | `effect.answer` on `what name` | the effect happened, and the answer is lost |
//! | `observe` on `what name` | an error or a delay before something is looked at |
//! | `quota` | the cluster has no room for a moment |
//! | `job` | a job ends with an error that another attempt may not meet |

mod files;
mod control_plane;
mod shelf;
mod cluster;
mod queries;
mod executions;

pub use cluster::{Cluster, Job, Kube, KubeError, Object, ObjectPhase};
pub use control_plane::ControlPlane;
pub use executions::{ExecutionPhase, Executions};
pub use files::Files;
pub use queries::{Asked, Lookaside, Queries, QueryStatus, Tokens};
pub use shelf::Shelf;

use super::error::SystemError;
use super::outputs::{ContainerError, ErrorDocument, LiteralMap};
use super::workflow::Ends;
use crate::fault::{crash_point, failpoint_on};
use serde_json::json;

/// The fault sites of the world outside, beside `effect`.
pub const SITES: &[&str] = &["effect.answer", "observe", "quota", "job"];

/// The way to an effect: it may not come to that.
async fn before(what: &str, name: &str) -> Result<(), SystemError> {
    if !crate::is_simulated() {
        return Ok(());
    }
    let object = format!("{what} {name}");
    let failed = |error| SystemError::caused_by(format!("cannot {object}"), error);
    failpoint_on("effect", &object).await.map_err(failed)
}

/// The way back from an effect: the caller may not be there any more, or not hear of it.
async fn after(what: &str, name: &str) -> Result<(), SystemError> {
    if !crate::is_simulated() {
        return Ok(());
    }
    let object = format!("{what} {name}");
    crash_point(&object).await;
    let lost = |error| SystemError::caused_by(format!("no answer to {object}"), error);
    failpoint_on("effect.answer", &object).await.map_err(lost)
}

/// Looking at something.
async fn look(what: &str, name: &str) -> Result<(), SystemError> {
    if !crate::is_simulated() {
        return Ok(());
    }
    let object = format!("{what} {name}");
    let failed = |error| SystemError::caused_by(format!("cannot {object}"), error);
    failpoint_on("observe", &object).await.map_err(failed)
}

/// What an attempt leaves in its directory when it ends.
fn leave(files: &Files, job: &Job, ends: Ends) {
    let said = |code: &str, recoverable| {
        let message = format!("{} failed", job.data_dir);
        let origin = super::error::ErrorKind::User;
        let error = Some(ContainerError { code: code.to_owned(), message, recoverable, origin });
        serde_json::to_string(&ErrorDocument { error }).expect("an error document is JSON")
    };
    match ends {
        Ends::Ok => {
            let literals: LiteralMap =
                job.outputs.iter().map(|name| (name.clone(), json!(job.data_dir))).collect();
            if !literals.is_empty() {
                let content = serde_json::to_string(&literals).expect("a map of JSON values is JSON");
                files.put(&format!("{}/outputs.pb", job.data_dir), &content);
            }
        }
        Ends::Recoverable => files.put(&format!("{}/error.pb", job.data_dir), &said("Recoverable", true)),
        Ends::NonRecoverable => {
            files.put(&format!("{}/error.pb", job.data_dir), &said("NonRecoverable", false));
        }
        Ends::NoOutputs | Ends::Lost | Ends::Deleted | Ends::Never => {}
    }
}
