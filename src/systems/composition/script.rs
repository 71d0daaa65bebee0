//! What the user does: asks for a site, for a newer version of it, and that it goes; and waits in between until that is
//! so. It writes as the store's server, without faults.

use super::sites::{SITE, Site, operator, operator_key};
use crate::property::reachable;
use crate::store::{Store, StoreError};
use crate::systems::plan::instance::{INSTANCE, Instance};
use crate::time::{Duration, sleep};
use serde::Deserialize;

/// The name of the site.
const NAME: &str = "shop";
/// How often the user looks.
const LOOK: Duration = Duration::from_secs(1);
/// How often, until it goes on all the same.
const LOOKS_MAX: u32 = 900;

/// One thing that the user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Asks for the site.
    Deploy,
    /// Asks for its next version.
    Upgrade,
    /// Asks for its next version, and does not wait for it.
    UpgradeSoon,
    /// Wants it to go.
    Delete,
}

/// The user.
pub(super) struct User {
    pub(super) store: Store,
}

impl User {
    /// Does one act after the other.
    pub(super) async fn play(&self, acts: &[Act]) -> Result<(), StoreError> {
        self.store.put(operator_key(), operator())?;
        for act in acts {
            match act {
                Act::Deploy => {
                    self.store.put((SITE, NAME), Site { version: 1, deleting: false })?;
                    self.until_settled().await;
                    reachable("deployed");
                }
                Act::Upgrade => {
                    self.upgrade()?;
                    self.until_settled().await;
                    reachable("upgraded");
                }
                Act::UpgradeSoon => {
                    self.upgrade()?;
                    sleep(LOOK * 3).await;
                }
                Act::Delete => {
                    self.change(|site| site.deleting = true)?;
                    self.until_gone().await;
                    reachable("removed");
                }
            }
        }
        Ok(())
    }

    fn upgrade(&self) -> Result<(), StoreError> {
        self.change(|site| site.version += 1)
    }

    fn change(&self, change: impl FnOnce(&mut Site)) -> Result<(), StoreError> {
        let Some(mut site) = self.store.peek::<Site>((SITE, NAME)) else { return Ok(()) };
        change(&mut site);
        self.store.put((SITE, NAME), site).map(drop)
    }

    /// Waits until the instance is of the version that is asked for, and no plan of it is scheduled.
    async fn until_settled(&self) {
        for _ in 0..LOOKS_MAX {
            let site: Option<Site> = self.store.peek((SITE, NAME));
            let instance: Option<Instance> = self.store.peek((INSTANCE, NAME));
            if let (Some(site), Some(instance)) = (site, instance) {
                let version = instance.spec.params.get(super::provision::VERSION);
                let is_of_it =
                    version.and_then(serde_json::Value::as_str) == Some(&*site.version.to_string());
                let is_idle =
                    instance.spec.plan_execution.name.is_empty() && instance.metadata.ended.is_none();
                if is_of_it && is_idle {
                    return;
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn until_gone(&self) {
        for _ in 0..LOOKS_MAX {
            if self.store.entry((SITE, NAME)).is_none() {
                return;
            }
            sleep(LOOK).await;
        }
    }
}
