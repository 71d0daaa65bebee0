//! Where inputs, outputs and errors of tasks lie, and how outputs are read from there. Separate because executors, engine
//! and tests all read them; it must not know who wrote them.

use super::BoxFuture;
use super::context::TaskContext;
use super::error::{ErrorKind, OutputsError, SystemError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Values of variables, by name.
pub type LiteralMap = BTreeMap<String, Value>;

/// The largest error file that is read, in bytes.
pub const ERROR_FILE_MAX: u64 = 10 << 20;
/// The largest outputs that are accepted, in bytes.
pub const OUTPUTS_MAX: u64 = 10 << 20;

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its size in bytes.
    pub size: u64,
}

/// Files by path.
pub trait DataStore: Send + Sync {
    /// What is known of a file; none if there is no such file.
    fn head<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<FileInfo>, SystemError>>;

    /// The content of a file; none if there is no such file.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Arc<str>>, SystemError>>;

    /// Writes a file.
    fn write<'a>(&'a self, path: &'a str, content: String) -> BoxFuture<'a, Result<(), SystemError>>;
}

/// What a task says when it fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// The error; none in an empty document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ContainerError>,
}

/// The error in an error file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerError {
    /// What kind of failure, as one word.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Whether another attempt may do better.
    pub recoverable: bool,
    /// Who is to blame.
    #[serde(default)]
    pub origin: ErrorKind,
}

/// Writes literals.
///
/// # Errors
/// The store failed.
pub async fn write_literals(
    store: &dyn DataStore,
    path: &str,
    literals: &LiteralMap,
) -> Result<(), SystemError> {
    let content = serde_json::to_string(literals).expect("a map of JSON values is JSON");
    store.write(path, content).await
}

/// Reads literals; none if there is no such file.
///
/// # Errors
/// The store failed, or the file holds something else.
pub async fn read_literals(store: &dyn DataStore, path: &str) -> Result<Option<LiteralMap>, SystemError> {
    let Some(content) = store.read(path).await? else { return Ok(None) };
    let corrupt = |error| SystemError::caused_by(format!("[{path}] is corrupt"), error);
    serde_json::from_str::<LiteralMap>(&content).map(Some).map_err(corrupt)
}

/// Reads outputs of tasks.
#[derive(Clone)]
pub struct OutputsResolver {
    store: Arc<dyn DataStore>,
}

impl OutputsResolver {
    /// Reads from this store.
    pub fn new(store: Arc<dyn DataStore>) -> OutputsResolver {
        OutputsResolver { store }
    }

    /// The values of these variables.
    ///
    /// # Errors
    /// The outputs cannot be read or are not there, or one of the variables is not.
    pub async fn resolve(
        &self,
        context: &TaskContext,
        variables: &[&str],
    ) -> Result<LiteralMap, OutputsError> {
        let (file, task) = (context.paths.outputs.clone(), context.generated_name.to_string());
        let found = match read_literals(&*self.store, &file).await {
            Err(cause) => return Err(OutputsError::Read { file, cause }),
            Ok(None) => return Err(OutputsError::NotFound { task, file }),
            Ok(Some(found)) => found,
        };
        let resolve = |variable: &&str| match found.get(*variable) {
            Some(value) => Ok(((*variable).to_owned(), value.clone())),
            None => Err(OutputsError::NoVariable { task: task.clone(), variable: (*variable).to_owned() }),
        };
        variables.iter().map(resolve).collect()
    }
}

impl fmt::Debug for OutputsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputsResolver").finish_non_exhaustive()
    }
}
