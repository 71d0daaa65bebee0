//! The controller of sites: each needs an instance of the operator, of its version, until it goes. It must not know what
//! the plans of the instance do.

use super::provision::{KIND, VERSION, WANTS};
use super::variant::Variant;
use crate::sim::Host;
use crate::store::{Client, Entry};
use crate::sync::CancellationToken;
use crate::systems::controller::{
    BoxFuture, Context, Controller, ReconcileError, Reconciler, Request, RunError, Shutdown, StorePublisher,
    Topic, requeue_after,
};
use crate::systems::plan::admission::{admit_create, admit_update};
use crate::systems::plan::definition::{CLEANUP, DEPLOY, UPDATE};
use crate::systems::plan::instance::{INSTANCE, Instance, OPERATOR_VERSION, OperatorVersion, Parameter};
use crate::systems::plan::{Phase, Plan, Step, Strategy, Task};
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kind of the entries that sites are.
pub const SITE: &str = "site";
/// The operator version that all sites are instances of.
pub(super) const OPERATOR: &str = "site-1.0";
/// How often a site is looked at though nothing was heard of it.
const RESYNC: Duration = Duration::from_secs(15);
/// How soon, while it goes.
const SOON: Duration = Duration::from_secs(1);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// A site, as a user asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Which version of it.
    pub version: u64,
    /// It is to go.
    pub deleting: bool,
}

/// One incarnation of the controller.
pub(super) async fn run(host: Host, variant: Variant) -> Result<(), RunError> {
    let sites = Sites { client: host.store().consistent(), variant };
    let builder = Controller::builder(Arc::new(StorePublisher::new(host.store())), sites);
    let builder = builder.backoff(BACKOFF.0, BACKOFF.1).expect("the backoff grows");
    let (controller, _) = builder.subscribe(Topic::all(SITE)).subscribe(Topic::all(INSTANCE)).build();
    controller.run(CancellationToken::new(), Shutdown::Drop).await
}

struct Sites {
    client: Client,
    variant: Variant,
}

type Reconciled = Result<(), ReconcileError>;

impl Reconciler for Sites {
    fn reconcile(&self, _: Context, request: Request) -> BoxFuture<'_, Reconciled> {
        Box::pin(async move { self.look_after(&request.name).await })
    }
}

impl Sites {
    async fn look_after(&self, name: &str) -> Reconciled {
        let Some(entry) = self.client.entry((SITE, name)).await? else { return Ok(()) };
        let site: Site = entry.parse()?;
        let found = self.client.entry((INSTANCE, name)).await?;
        match (site.deleting, found) {
            (true, None) => drop(self.client.delete_at((SITE, name), entry.version).await?),
            (true, Some(instance)) => self.remove(name, &entry, &instance).await?,
            (false, None) => self.install(name, &site).await?,
            (false, Some(instance)) => self.keep(name, &site, &instance).await?,
        }
        Err(requeue_after(if site.deleting { SOON } else { RESYNC }))
    }

    async fn install(&self, name: &str, site: &Site) -> Reconciled {
        let operator = operator();
        let params = BTreeMap::from([(VERSION.to_owned(), Value::String(site.version.to_string()))]);
        let uid = format!("{name}-v{}", site.version);
        let instance = admit_create(Instance::new(OPERATOR, params), &operator, uid)?;
        self.client.create((INSTANCE, name), instance).await?;
        Ok(())
    }

    /// Sees to it that the instance is of the site's version; while a plan runs nothing can be changed.
    async fn keep(&self, name: &str, site: &Site, entry: &Entry) -> Reconciled {
        let old: Instance = entry.parse()?;
        let wanted = Value::String(site.version.to_string());
        let is_busy = !old.spec.plan_execution.name.is_empty() || old.metadata.ended.is_some();
        if old.metadata.deleting || is_busy || old.spec.params.get(VERSION) == Some(&wanted) {
            return Ok(());
        }
        let mut new = old.clone();
        new.spec.params.insert(VERSION.to_owned(), wanted);
        let (operator, uid) = (operator(), format!("{name}-v{}", site.version));
        let admitted = admit_update(&old, new, (&operator, &operator), uid)?;
        self.client.update((INSTANCE, name), entry.version, admitted).await?;
        Ok(())
    }

    async fn remove(&self, name: &str, site: &Entry, entry: &Entry) -> Reconciled {
        let mut instance: Instance = entry.parse()?;
        if self.variant == Variant::SiteGoesFirst {
            self.client.delete_at((SITE, name), site.version).await?;
        }
        if instance.metadata.deleting {
            return Ok(());
        }
        if instance.metadata.finalizers.is_empty() {
            self.client.delete_at((INSTANCE, name), entry.version).await?;
            return Ok(());
        }
        instance.metadata.deleting = true;
        self.client.update((INSTANCE, name), entry.version, instance).await?;
        Ok(())
    }
}

/// The operator of sites: its data comes first, then all of it; and at the end nothing is left.
pub(super) fn operator() -> OperatorVersion {
    let step = |name: &str| Step { name: name.to_owned(), tasks: vec![name.to_owned()] };
    let phase =
        |name: &str| Phase { name: name.to_owned(), strategy: Strategy::Serial, steps: vec![step(name)] };
    let plan = |phases: &[&str]| {
        Arc::new(Plan { strategy: Strategy::Serial, phases: phases.iter().map(|name| phase(name)).collect() })
    };
    let task = |name: &str| Task::new(name, KIND, [(WANTS, Value::String(name.to_owned()))]);
    let version = Parameter { name: VERSION.to_owned(), required: true, ..Parameter::default() };
    OperatorVersion {
        name: OPERATOR.to_owned(),
        parameters: vec![version],
        plans: BTreeMap::from([
            (DEPLOY.to_owned(), plan(&["data", "whole"])),
            (UPDATE.to_owned(), plan(&["data", "whole"])),
            (CLEANUP.to_owned(), plan(&["nothing"])),
        ]),
        tasks: ["data", "whole", "nothing"].map(task).to_vec(),
        templates: BTreeMap::new(),
    }
}

/// The entry that the operator is.
pub(super) fn operator_key() -> (&'static str, &'static str) {
    (OPERATOR_VERSION, OPERATOR)
}
