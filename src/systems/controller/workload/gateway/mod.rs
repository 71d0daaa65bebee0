//! The controller of API gateways, after Consul's: it accepts gateways and routes, binds routes to listeners, and says so
//! in their statuses and in an entry beside each gateway.
//!
//! ```text
//! api-gateway ────────────▶ gateway ─▶ its certificates; its routes' statuses; what is bound to it
//! http-route, tcp-route ──▶ route ───▶ its chains, and a trigger over them; the gateways that it asks for
//! bound-api-gateway ──────▶ the gateway; without one it is deleted
//! inline-certificate ─────▶ the gateways that show it
//! service-resolver ───────▶ no request: it fires the triggers whose chains read it
//! ```
//!
//! What is not accepted is not bound, and acceptance is read from the store: a first reconcile accepts, and the write of
//! that brings about the second, which binds. Every write is made only where it changes something.
//!
//! | variant | what it does | breaks |
//! |---|---|---|
//! | `trigger-after-first-chain` | the trigger of a route is registered when its first chain was read | `converges` |
//! | `askew-conflicts` | a route's reconcile prefers who came first, the gateway's the first by name | `quiescence` |
//! | `certificate-unheard` | certificates are reconciled and not subscribed to | `converges` |
//! | `subscription-ends-run` | an error of a subscription ends the controller, which tells nobody | `subscription` |
//! | `trigger-outlives-route` | a route that is bound nowhere is gone, and its trigger stays | `trigger-removed` |
//! | `bound-expected` | the clean-up after a gateway takes for granted that something is bound to it | `eventual-consistency` |
//! | `cache-unprimed` | what is bound to a gateway is deleted while the cache lacks the gateway | `same-as-fault-free` |
//! | `status-overwrites` | statuses are written over what the user wrote meanwhile | `same-as-fault-free` |

mod model;
mod variant;
mod binding;
mod chains;
mod reflector;
mod reconciler;
mod routes;
mod oracle;
mod script;
mod triggers;

use super::super::{Change, Controller, Shutdown, StorePublisher, Topic, transformer};
use super::{ControllerWorkload, Stage, USER};
use crate::sim::{Differential, Host, Sim};
use crate::span::Span;
use crate::store::{Key, Store};
use crate::sync::CancellationToken;
use crate::time::Duration;
use chains::Chains;
use reconciler::Gateways;
use reflector::{Known, Reflector};
use script::User;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use variant::Variant;

pub use model::{BOUND, CERTIFICATE, GATEWAY, HTTP_ROUTE, NOTE, RESOLVER, TCP_ROUTE};

/// The first delay after a failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(10));

/// The workload of API gateways, as a file says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Gateway {
    /// So many routes more, ten to a gateway.
    pub routes: u32,
    /// How many requests are reconciled at a time.
    pub workers: u32,
    /// Whether the store goes back to a snapshot.
    pub restore: Chance,
    /// Whether all watches are closed.
    pub force_close: Chance,
    /// How long the user waits for each change to take effect.
    pub patience: Span,
    /// What of the run without faults must be repeated. Events that are lost while the user's patience lasts can make two
    /// writes of what is bound one.
    pub differential: Differential,
    /// So many notes follow each write of what is bound: writes that a sweep over all writes must count.
    pub notes: u32,
    #[serde(skip)]
    variant: Variant,
}

/// Whether something happens to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chance {
    /// No.
    Never,
    /// In some runs, by a choice; not in the baseline.
    #[default]
    Sometimes,
    /// Yes.
    Always,
}

impl Default for Gateway {
    fn default() -> Gateway {
        Gateway {
            routes: 0,
            workers: 1,
            restore: Chance::Sometimes,
            force_close: Chance::Sometimes,
            patience: Span(Duration::from_secs(300)),
            differential: Differential::StateAndEffects,
            notes: 0,
            variant: Variant::Correct,
        }
    }
}

impl ControllerWorkload for Gateway {
    const NAME: &'static str = "gateway";
    const ABOUT: &'static str =
        "a controller that binds routes to API gateways, with triggers over discovery chains";
    const EXAMPLE: &'static str = include_str!("gateway.toml");
    const VARIANTS: &'static [&'static str] = &Variant::NAMES;
    const RECONCILED: &'static [&'static str] = &[GATEWAY, HTTP_ROUTE, TCP_ROUTE];
    const ACTUAL: &'static [&'static str] = &[GATEWAY, HTTP_ROUTE, TCP_ROUTE, BOUND];
    const PROPERTIES: &'static [&'static str] = &[triggers::PROPERTY];
    const PLACES: &'static [&'static str] = &[];

    fn choose(&mut self, variant: &'static str) {
        self.variant = Variant::of(variant);
    }

    fn differential(&self) -> Differential {
        self.differential
    }

    fn set_up(&self, sim: &mut Sim, stage: &Stage) {
        triggers::install(sim);
        let workload = self.clone();
        sim.host("controller").daemon().serve(move |host| {
            let workload = workload.clone();
            async move { workload.control(host).await }
        });
        let (workload, stage) = (self.clone(), stage.clone());
        sim.host(USER).run(move |_| async move { User { stage: &stage, workload: &workload }.work().await });
    }

    fn desired(store: &Store) -> BTreeMap<Key, Value> {
        oracle::desired(store)
    }
}

impl Gateway {
    /// The main of the controller's host.
    async fn control(&self, host: Host) -> Result<(), Box<dyn std::error::Error>> {
        let store = host.store().monotonic();
        let (chains, known) = (Arc::new(Chains::new()), Known::default());
        let publisher = Reflector::new(StorePublisher::new(store.clone()), known.clone());
        let reconciler = Gateways {
            store,
            chains: chains.clone(),
            known,
            variant: self.variant,
            notes: self.notes,
            came: Mutex::default(),
        };
        let hear = transformer(move |change: &Change| {
            chains.hear(change);
            Vec::new()
        });
        let mut builder = Controller::builder(Arc::new(publisher), reconciler)
            .backoff(BACKOFF.0, BACKOFF.1)?
            .workers(self.workers)
            .begin(self.variant.begin())
            .variant(self.variant.engine())
            .subscribe_with(Topic::all(RESOLVER), [hear]);
        for kind in self.subscribed() {
            builder = builder.subscribe(Topic::all(kind));
        }
        let (controller, _) = builder.build();
        Ok(controller.run(CancellationToken::new(), Shutdown::Drop).await?)
    }

    /// The kinds whose changes are requests.
    fn subscribed(&self) -> impl Iterator<Item = &'static str> {
        let is_unheard = self.variant == Variant::CertificateUnheard;
        let kinds = [BOUND, GATEWAY, HTTP_ROUTE, TCP_ROUTE, CERTIFICATE];
        kinds.into_iter().filter(move |kind| !(is_unheard && *kind == CERTIFICATE))
    }
}
