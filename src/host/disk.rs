//! A host's disk: the durable state that a crash does not destroy. It must not know what is kept there.

use crate::fault::{Injected, crash_point, failpoint_on};
use crate::runtime::current;
use crate::task::yield_point;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What all hosts of a world have written.
#[derive(Default)]
struct Disks(BTreeMap<(Arc<str>, String), Value>);

/// The disk of a host: values by name, each written whole or not at all.
///
/// A write is durable when it returns. Faults at the sites `disk.read` and `disk.write`, whose object is the name, come
/// before the effect; the host may crash right after one, before its answer.
#[derive(Clone, Debug)]
pub struct Disk {
    host: Arc<str>,
}

/// Why a disk did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The plan of faults said so.
    #[error(transparent)]
    Injected(#[from] Injected),
    /// The value is not what was asked for, or none that can be written.
    #[error("{name} on the disk of {host}: {source}")]
    Value {
        /// The host.
        host: Arc<str>,
        /// The name of the value.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Disk {
    pub(crate) fn new(host: Arc<str>) -> Disk {
        Disk { host }
    }

    /// The value of that name, if one was written.
    ///
    /// # Errors
    /// An injected fault, or a value of another type.
    pub async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DiskError> {
        failpoint_on("disk.read", name).await?;
        let found = current::with(|world| world.parts.get::<Disks>().0.get(&self.key(name)).cloned());
        found.map(|value| T::deserialize(value).map_err(|source| self.wrong(name, source))).transpose()
    }

    /// The names of the values that were written, as far as they begin with `prefix`, in order.
    ///
    /// # Errors
    /// An injected fault.
    pub async fn names(&self, prefix: &str) -> Result<Vec<String>, DiskError> {
        failpoint_on("disk.read", prefix).await?;
        let found = current::with(|world| {
            let disks = &world.parts.get::<Disks>().0;
            let own = disks.range(self.key(prefix)..).map(|((host, name), _)| (host, name));
            own.take_while(|(host, name)| **host == self.host && name.starts_with(prefix))
                .map(|(_, name)| name.clone())
                .collect()
        });
        Ok(found)
    }

    /// Writes a value.
    ///
    /// # Errors
    /// An injected fault, before anything was written; or a value that is no JSON.
    pub async fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), DiskError> {
        let value = serde_json::to_value(value).map_err(|source| self.wrong(name, source))?;
        self.effect(name, Some(value)).await
    }

    /// Removes a value, if there is one.
    ///
    /// # Errors
    /// An injected fault, before anything was removed.
    pub async fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.effect(name, None).await
    }

    async fn effect(&self, name: &str, value: Option<Value>) -> Result<(), DiskError> {
        failpoint_on("disk.write", name).await?;
        yield_point("disk.write").await;
        let is_effect = current::with(|world| {
            let disks = &mut world.parts.get::<Disks>().0;
            match value {
                Some(value) => {
                    disks.insert(self.key(name), value);
                    true
                }
                None => disks.remove(&self.key(name)).is_some(),
            }
        });
        if is_effect {
            crash_point(name).await;
        }
        Ok(())
    }

    fn key(&self, name: &str) -> (Arc<str>, String) {
        (self.host.clone(), name.to_owned())
    }

    fn wrong(&self, name: &str, source: serde_json::Error) -> DiskError {
        DiskError::Value { host: self.host.clone(), name: name.to_owned(), source }
    }
}
