//! Files in memory: inputs, outputs and errors of tasks. Separate because the engine reads what jobs write; it must not
//! know either.

use super::{after, before, look};
use crate::emit;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::error::SystemError;
use crate::systems::plugin::outputs::{DataStore, FileInfo};
use crate::systems::plugin::record::PluginEvent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files by path. Clones are one store.
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<BTreeMap<String, File>>>);

#[derive(Clone, Debug)]
struct File {
    content: Arc<str>,
    size: u64,
}

impl Files {
    /// No files.
    pub fn new() -> Files {
        Files::default()
    }

    /// Writes a file at once.
    pub fn put(&self, path: &str, content: &str) {
        self.put_sized(path, content, content.len() as u64);
    }

    /// Writes a file at once that says it is of another size.
    pub fn put_sized(&self, path: &str, content: &str, size: u64) {
        self.files().insert(path.to_owned(), File { content: Arc::from(content), size });
        let mut parts = path.rsplit('/');
        if parts.next() == Some("outputs.pb") {
            let (attempt, node, workflow) = (parts.next(), parts.next(), parts.next());
            if let (Some(attempt), Some(node), Some(workflow)) = (attempt, node, workflow) {
                let (workflow, node, number) = (Arc::from(workflow), Arc::from(node), attempt.parse().ok());
                emit(PluginEvent::OutputsWritten { workflow, node, number });
            }
        }
    }

    /// What a file holds.
    pub fn get(&self, path: &str) -> Option<Arc<str>> {
        self.files().get(path).map(|file| Arc::clone(&file.content))
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DataStore for Files {
    fn head<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<FileInfo>, SystemError>> {
        Box::pin(async move {
            look("head", path).await?;
            Ok(self.files().get(path).map(|file| FileInfo { size: file.size }))
        })
    }

    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Arc<str>>, SystemError>> {
        Box::pin(async move {
            look("read", path).await?;
            Ok(self.get(path))
        })
    }

    fn write<'a>(&'a self, path: &'a str, content: String) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            before("write", path).await?;
            self.put(path, &content);
            after("write", path).await
        })
    }
}
