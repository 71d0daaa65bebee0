//! Who leads: one host takes the lease, renews it, and steps down when it cannot. It must not know what leaders do.
//!
//! No clock is compared with another's. A host that wants to lead waits until it has itself seen one version of the lease
//! stand for the whole duration, and takes it with a write that expects that version. Who leads counts from before it
//! sent its last renewal, and gives up well before the others can have waited that long; by how much clocks may drift
//! apart is the difference. A host that stands still cannot give up in time, and for that there is the fence.

use super::kinds::{Epoch, Held, Lease, epoch_key, lease_key};
use super::record::ReplicasEvent;
use super::variant::Variant;
use crate::emit;
use crate::store::{Client, StoreError, Transaction};
use crate::time::{Duration, Instant, SystemTime, sleep, sleep_until, timeout_at};
use std::sync::Arc;

/// After a renewal that failed.
const RETRY: Duration = Duration::from_secs(1);

/// A host that wants to lead.
pub(super) struct Elector {
    pub(super) host: Arc<str>,
    /// Reads the present: an old lease is of no use.
    pub(super) client: Client,
    pub(super) lease: Duration,
    pub(super) deadline: Duration,
    pub(super) renew: Duration,
    pub(super) poll: Duration,
    pub(super) variant: Variant,
}

/// One leadership.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) epoch: u64,
    /// The version of the epoch's entry: what every write is checked against.
    pub(super) fence: u64,
    /// The version of the lease.
    version: u64,
    /// Before the last renewal that is known to have taken effect was sent.
    renewed: Instant,
}

/// A version of the lease, and when this host saw it first.
type Watched = Option<(u64, Instant)>;

/// Why a renewal failed.
enum Refused {
    /// Another host leads, or an epoch that is not ours.
    Taken,
    /// The store did not say; the lease may still be ours.
    Unknown,
}

impl Elector {
    /// Waits until this host leads.
    pub(super) async fn campaign(&self) -> Term {
        let mut watched = None;
        loop {
            if let Ok(Some(term)) = self.try_to_lead(&mut watched).await {
                return term;
            }
            sleep(self.poll).await;
        }
    }

    async fn try_to_lead(&self, watched: &mut Watched) -> Result<Option<Term>, StoreError> {
        let found = self.client.entry(lease_key()).await?.map(|entry| Held::<Lease>::of(&entry));
        let because = match &found {
            None => "there was no lease",
            // Of this host's runs before: the last one was awaited, or ended in a crash.
            Some(lease) if *lease.value.holder == *self.host => "it held the lease before",
            Some(lease) if self.is_over(lease, watched) => "the lease was not renewed in time",
            Some(_) => return Ok(None),
        };
        let epoch = found.as_ref().map_or(0, |lease| lease.value.epoch) + 1;
        let sent = Instant::now();
        let take = match &found {
            None => Transaction::new().create(lease_key(), self.lease_now(epoch)),
            Some(lease) => Transaction::new().update(lease_key(), lease.version, self.lease_now(epoch)),
        };
        let version = self.client.transact(take.put(epoch_key(), self.epoch_now(epoch))).await?;
        emit(ReplicasEvent::Leads { host: self.host.clone(), epoch, because });
        Ok(Some(Term { epoch, fence: version, version, renewed: sent }))
    }

    /// Whether the lease was not renewed for its whole duration.
    fn is_over(&self, lease: &Held<Lease>, watched: &mut Watched) -> bool {
        if self.variant == Variant::WallClockLease {
            return wall_ms() > lease.value.renewed_ms + millis(self.lease);
        }
        let now = Instant::now();
        match watched {
            Some((version, since)) if *version == lease.version => now.duration_since(*since) >= self.lease,
            _ => {
                *watched = Some((lease.version, now));
                false
            }
        }
    }

    /// Renews the lease again and again; why that came to an end.
    pub(super) async fn keep(&self, term: &mut Term) -> &'static str {
        loop {
            let deadline = term.renewed + self.deadline;
            sleep_until((term.renewed + self.renew).min(deadline)).await;
            match timeout_at(deadline, self.renew_once(term)).await {
                Ok(true) => {}
                Ok(false) => return "another epoch began",
                Err(_) => return "it could not renew the lease in time",
            }
        }
    }

    /// Tries to renew until that works, or another leads; whether it worked.
    async fn renew_once(&self, term: &mut Term) -> bool {
        loop {
            let sent = Instant::now();
            match self.try_to_renew(term).await {
                Ok(version) => {
                    (term.version, term.renewed) = (version, sent);
                    return true;
                }
                Err(Refused::Taken) => return false,
                Err(Refused::Unknown) => sleep(RETRY).await,
            }
        }
    }

    async fn try_to_renew(&self, term: &mut Term) -> Result<u64, Refused> {
        let update = self.client.update(lease_key(), term.version, self.lease_now(term.epoch));
        if let Ok(version) = update.await {
            return Ok(version);
        }
        let found = self.client.entry(lease_key()).await.map_err(|_| Refused::Unknown)?;
        match found.map(|entry| Held::<Lease>::of(&entry)) {
            Some(lease) if *lease.value.holder == *self.host && lease.value.epoch == term.epoch => {
                // An answer was lost, perhaps: from here on this version is expected.
                term.version = lease.version;
                Err(Refused::Unknown)
            }
            Some(_) | None => Err(Refused::Taken),
        }
    }

    fn lease_now(&self, epoch: u64) -> Lease {
        Lease { holder: self.host.to_string(), epoch, renewed_ms: wall_ms() }
    }

    fn epoch_now(&self, epoch: u64) -> Epoch {
        Epoch { holder: self.host.to_string(), epoch }
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
