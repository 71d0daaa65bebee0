//! What the user does: databases come and go, in acts that each make one thing hard. It writes as the store's server,
//! without faults, and waits between acts until all is as it should be.

use super::Garbage;
use super::cloud::Cloud;
use super::model::{
    CLOUD, DATABASE, FOREGROUND, Fate, HOLD, Held, ORDER, ORPHAN, Object, Order, Owner, Part,
};
use crate::store::{Key, Store, StoreError, Transaction};
use crate::systems::controller::workload::Stage;
use crate::time::{Duration, sleep};
use serde::Deserialize;

/// How long the user waits for things to settle before going on all the same.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the user takes for "at once".
const MOMENT: Duration = Duration::from_millis(5);
/// How long things are left alone between acts.
const REST: Duration = Duration::from_secs(5);

/// One thing that the user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A database with a volume and a backup is created, lives for a while, and is deleted.
    Delete,
    /// A database is deleted and created again under its name at once, with dependents of its own.
    Recreate,
    /// A secret of one database is soon shared with another, and the first is deleted at once; later the other.
    Share,
    /// A database goes in the foreground: after its dependents.
    Foreground,
    /// A volume is attached to a database, which goes in the foreground at once.
    Attach,
    /// A database goes and leaves its backup behind.
    Orphan,
    /// A volume without owner is deleted while somebody else holds it, who lets go soon after.
    Hold,
}

/// How a database is deleted.
#[derive(Clone, Copy)]
enum Policy {
    Background,
    Foreground,
    Orphan,
}

/// The user.
pub(super) struct User {
    pub(super) stage: Stage,
    pub(super) cloud: Cloud,
}

impl User {
    /// Does one act after the other.
    pub(super) async fn play(&self, acts: &[Act]) -> Result<(), StoreError> {
        for act in acts {
            match act {
                Act::Delete => self.delete_one().await?,
                Act::Recreate => self.recreate().await?,
                Act::Share => self.share().await?,
                Act::Foreground => self.foreground().await?,
                Act::Attach => self.attach().await?,
                Act::Orphan => self.orphan().await?,
                Act::Hold => self.hold().await?,
            }
            self.rest().await;
        }
        Ok(())
    }

    async fn delete_one(&self) -> Result<(), StoreError> {
        let disk = Part::new("volume", "brief-1-disk", &[CLOUD]);
        let nightly = Part::new("backup", "brief-1-nightly", &[]);
        self.create("brief", "brief-1", vec![disk, nightly])?;
        self.rest().await;
        self.delete("brief-1", Policy::Background)
    }

    async fn recreate(&self) -> Result<(), StoreError> {
        for uid in ["main-1", "main-2"] {
            let disk = Part::new("volume", &format!("{uid}-disk"), &[CLOUD]);
            let nightly = Part::new("backup", &format!("{uid}-nightly"), &[]);
            self.create("main", uid, vec![disk, nightly])?;
            self.rest().await;
            if uid == "main-1" {
                self.delete(uid, Policy::Background)?;
                sleep(MOMENT).await;
            }
        }
        Ok(())
    }

    async fn share(&self) -> Result<(), StoreError> {
        let secret = Part::new("secret", "shared", &[]);
        self.create("blue", "blue-1", vec![secret.clone()])?;
        sleep(MOMENT).await;
        self.create("green", "green-1", vec![secret])?;
        sleep(MOMENT).await;
        self.delete("blue-1", Policy::Background)?;
        self.rest().await;
        self.delete("green-1", Policy::Background)
    }

    async fn foreground(&self) -> Result<(), StoreError> {
        let disk = Part::new("volume", "ledger-1-disk", &[CLOUD]);
        let nightly = Part::new("backup", "ledger-1-nightly", &[]);
        self.create("ledger", "ledger-1", vec![disk, nightly])?;
        sleep(MOMENT).await;
        self.delete("ledger-1", Policy::Foreground)
    }

    async fn attach(&self) -> Result<(), StoreError> {
        self.create("journal", "journal-1", Vec::new())?;
        self.rest().await;
        let disk = Part::new("volume", "journal-1-disk", &[CLOUD]);
        let owner = Owner { name: "journal".to_owned(), uid: "journal-1".to_owned() };
        self.cloud.create(&disk.name);
        self.store().create(disk.key(), Object { owners: vec![owner], ..disk.object() })?;
        self.delete("journal-1", Policy::Foreground)
    }

    async fn orphan(&self) -> Result<(), StoreError> {
        self.create("archive", "archive-1", vec![Part::new("backup", "archive-1-nightly", &[])])?;
        self.rest().await;
        self.delete("archive-1", Policy::Orphan)
    }

    async fn hold(&self) -> Result<(), StoreError> {
        let scratch = Part::new("volume", "scratch", &[CLOUD, HOLD]);
        self.cloud.create(&scratch.name);
        self.store().create(scratch.key(), scratch.object())?;
        sleep(MOMENT).await;
        let held = self.held(&scratch.key()).expect("nobody else deletes what is held");
        self.store().update(held.key(), held.entry.version, Object { deleting: true, ..held.object })?;
        sleep(MOMENT).await;
        let Some(held) = self.held(&scratch.key()) else { return Ok(()) };
        let rest = held.object.without_finalizer(HOLD);
        match rest.finalizers.is_empty() {
            true => self.store().delete(held.key()).map(drop),
            false => self.store().update(held.key(), held.entry.version, rest).map(drop),
        }
    }

    // What the acts are made of.

    /// Orders and creates a database with its dependents, or joins the owners of those that are there.
    fn create(&self, name: &str, uid: &str, parts: Vec<Part>) -> Result<(), StoreError> {
        let database = Object { uid: uid.to_owned(), ..Object::default() };
        let owner = Owner { name: name.to_owned(), uid: uid.to_owned() };
        let mut writes = Transaction::new().create((DATABASE, name), database);
        for part in &parts {
            writes = match self.held(&part.key()) {
                Some(mut held) => {
                    held.object.owners.push(owner.clone());
                    writes.update(part.key(), held.entry.version, held.object)
                }
                None => {
                    part.has_disk().then(|| self.cloud.create(&part.name));
                    writes.create(part.key(), Object { owners: vec![owner.clone()], ..part.object() })
                }
            };
        }
        let order = Order { database: name.to_owned(), parts, fate: Fate::Keep };
        self.store().transact(writes.create((ORDER, uid), order)).map(drop)
    }

    /// Orders that a database goes, and deletes it or asks for that.
    fn delete(&self, uid: &str, policy: Policy) -> Result<(), StoreError> {
        let mut order: Order = self.store().peek((ORDER, uid)).expect("what is deleted was ordered");
        let key = Key::new(DATABASE, order.database.as_str());
        let held = self.held(&key).expect("nobody deletes a database unasked");
        let finalizer = match policy {
            Policy::Background => None,
            Policy::Foreground => Some(FOREGROUND),
            Policy::Orphan => Some(ORPHAN),
        };
        order.fate = if finalizer == Some(ORPHAN) { Fate::Orphan } else { Fate::Collect };
        let writes = Transaction::new().put((ORDER, uid), order);
        let writes = match finalizer {
            None => writes.delete_at(key, held.entry.version),
            Some(finalizer) => {
                let finalizers = vec![finalizer.to_owned()];
                let object = Object { finalizers, deleting: true, ..held.object };
                writes.update(key, held.entry.version, object)
            }
        };
        self.store().transact(writes).map(drop)
    }

    async fn rest(&self) {
        self.stage.settled::<Garbage>(PATIENCE).await;
        sleep(REST).await;
    }

    fn held(&self, key: &Key) -> Option<Held> {
        let entry = self.store().entry(key.clone())?;
        Some(Held::of(entry).expect("the kinds of objects hold objects"))
    }

    fn store(&self) -> &Store {
        self.stage.store()
    }
}
