//! The writes of one leadership: each is committed only while its epoch is the last one. Separate so that nothing can be
//! written past the fence; it must not know what is written.

use super::kinds::epoch_key;
use super::record::ReplicasEvent;
use super::variant::Variant;
use crate::emit;
use crate::store::{Client, StoreError, Transaction};
use std::sync::Arc;

/// Writes as the leader of one epoch.
#[derive(Clone)]
pub(super) struct Pen {
    pub(super) host: Arc<str>,
    pub(super) client: Client,
    pub(super) epoch: u64,
    /// The version of the epoch's entry.
    pub(super) fence: u64,
    pub(super) variant: Variant,
}

impl Pen {
    /// Commits, if the epoch is still the last one.
    pub(super) async fn commit(&self, transaction: Transaction) -> Result<u64, StoreError> {
        let result = match self.variant {
            Variant::NoFence => self.client.transact(transaction).await,
            Variant::FenceReadFirst => {
                self.look().await?;
                self.client.transact(transaction).await
            }
            _ => self.client.transact(transaction.check(epoch_key(), Some(self.fence))).await,
        };
        if matches!(&result, Err(StoreError::Conflict { key, found, .. })
            if *key == epoch_key() && *found != Some(self.fence))
        {
            emit(ReplicasEvent::FencedOff { host: self.host.clone(), epoch: self.epoch });
        }
        result
    }

    /// Says what is about to be written, and why.
    pub(super) fn decides(&self, what: &'static str, entry: &str, because: String) {
        emit(ReplicasEvent::Decides {
            host: self.host.clone(),
            epoch: self.epoch,
            what,
            entry: Arc::from(entry),
            because: Arc::from(because),
        });
    }

    async fn look(&self) -> Result<(), StoreError> {
        let found = self.client.consistent().entry(epoch_key()).await?.map(|entry| entry.version);
        if found == Some(self.fence) {
            return Ok(());
        }
        Err(StoreError::Conflict { key: epoch_key(), expected: self.fence, found })
    }
}
