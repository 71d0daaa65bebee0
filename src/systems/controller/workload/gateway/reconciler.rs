//! The reconciler: one request at a time, from what the store holds to what it should. It decides nothing that `binding`
//! can decide, and keeps no state that a restart must not lose.

use super::super::super::{BoxFuture, Context, ReconcileError, Reconciler, Request};
use super::super::read;
use super::binding::{Candidate, Verdicts, bind};
use super::chains::Chains;
use super::model::{
    Accepted, ApiGateway, BOUND, Binding, Bound, CERTIFICATE, Certificate, GATEWAY, NOTE, ROUTES, Route,
};
use super::reflector::Known;
use super::variant::Variant;
use crate::store::{Client, Entry, Key, StoreError};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) type Outcome = Result<(), ReconcileError>;

/// The gateways' controller, as its worker calls it.
pub(super) struct Gateways {
    pub(super) store: Client,
    pub(super) chains: Arc<Chains>,
    pub(super) known: Known,
    pub(super) variant: Variant,
    /// So many notes follow each write of what is bound.
    pub(super) notes: u32,
    /// Accepted routes in the order in which they came: only a planted bug asks.
    pub(super) came: Mutex<Vec<Key>>,
}

/// Whose reconcile binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Gateway,
    Route,
}

impl Reconciler for Gateways {
    fn reconcile(&self, context: Context, request: Request) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match &*request.kind {
                GATEWAY => self.gateway(&request).await,
                BOUND => self.bound(&context, &request.name).await,
                CERTIFICATE => self.certificate(&context, &request.name).await,
                _ => self.route(&context, &request).await,
            }
        })
    }
}

impl Gateways {
    // Gateways.

    async fn gateway(&self, request: &Request) -> Outcome {
        let entry = self.store.entry((GATEWAY, request.name.clone())).await?;
        read(request, entry.as_ref());
        match entry {
            Some(entry) => self.settle(&entry, Asker::Gateway).await,
            None => self.clean_up(&request.name).await,
        }
    }

    /// Brings the gateway's status, the routes that ask for it and what is bound to it to what they should be.
    pub(super) async fn settle(&self, entry: &Entry, asker: Asker) -> Outcome {
        let gateway: ApiGateway = entry.parse()?;
        let status = Accepted::of(self.certificate_problem(&gateway).await?);
        if gateway.status.as_ref() != Some(&status) {
            // That is a change of the gateway, whose next reconcile binds by it.
            return self.write(entry, ApiGateway { status: Some(status), ..gateway }).await;
        }
        let name = &entry.key.name;
        let candidates = self.candidates(name, asker).await?;
        let verdicts = bind(name, Some(&gateway), &candidates);
        self.write_routes(&candidates, &verdicts).await?;
        self.write_bound(name, &verdicts.bound).await
    }

    /// The gateway is gone: nothing is bound to it, and its routes hear of it.
    async fn clean_up(&self, name: &Arc<str>) -> Outcome {
        let mut bound = self.store.entry((BOUND, name.clone())).await?;
        if self.variant == Variant::BoundExpected {
            bound = Some(bound.expect("what is bound to the gateway is there"));
        }
        if let Some(bound) = bound {
            self.store.delete_at(bound.key, bound.version).await?;
        }
        let candidates = self.candidates(name, Asker::Gateway).await?;
        self.write_routes(&candidates, &bind(name, None, &candidates)).await
    }

    async fn certificate_problem(&self, gateway: &ApiGateway) -> Result<Option<String>, StoreError> {
        for name in gateway.listeners.iter().filter_map(|listener| listener.certificate.as_deref()) {
            match self.store.get::<Certificate>((CERTIFICATE, name)).await? {
                None => return Ok(Some(format!("there is no certificate {name}"))),
                Some(Certificate { valid: false }) => {
                    return Ok(Some(format!("the certificate {name} is not valid")));
                }
                Some(Certificate { valid: true }) => {}
            }
        }
        Ok(None)
    }

    /// The routes that ask for a gateway, the one to be preferred first.
    async fn candidates(&self, gateway: &str, asker: Asker) -> Result<Vec<Candidate>, ReconcileError> {
        let mut candidates = Vec::new();
        for kind in ROUTES {
            for entry in self.store.list(kind).await? {
                if Route::asks_for(&entry.value, gateway) {
                    let (version, route) = (entry.version, entry.parse()?);
                    candidates.push(Candidate { key: entry.key, version, route });
                }
            }
        }
        if self.variant == Variant::AskewConflicts && asker == Asker::Route {
            let came = self.came();
            candidates.sort_by_key(|candidate| came.iter().position(|key| *key == candidate.key));
        }
        Ok(candidates)
    }

    // What is bound.

    /// What is bound was written: by this controller, or by one before it whose work was cut short.
    async fn bound(&self, context: &Context, name: &Arc<str>) -> Outcome {
        let key = Key::new(GATEWAY, name.clone());
        let has_gateway = match self.variant {
            Variant::CacheUnprimed => self.known.holds(&key),
            _ => self.store.entry(key).await?.is_some(),
        };
        if has_gateway {
            context.handle().enqueue([Request::new(GATEWAY, name.clone())]).await;
            return Ok(());
        }
        if let Some(bound) = self.store.entry((BOUND, name.clone())).await? {
            self.store.delete_at(bound.key, bound.version).await?;
        }
        Ok(())
    }

    async fn write_bound(&self, name: &Arc<str>, bound: &Bound) -> Outcome {
        match self.store.entry((BOUND, name.clone())).await? {
            Some(entry) if entry.parse::<Bound>()? == *bound => return Ok(()),
            Some(entry) => self.store.update(entry.key, entry.version, bound).await?,
            None => self.store.create((BOUND, name.clone()), bound).await?,
        };
        for number in 0..self.notes {
            self.store.put((NOTE, format!("{name}-{number}")), bound).await?;
        }
        Ok(())
    }

    // Certificates.

    async fn certificate(&self, context: &Context, name: &str) -> Outcome {
        let mut requests = Vec::new();
        for entry in self.store.list(GATEWAY).await? {
            let gateway: ApiGateway = entry.parse()?;
            if gateway.listeners.iter().any(|listener| listener.certificate.as_deref() == Some(name)) {
                requests.push(Request::new(GATEWAY, entry.key.name));
            }
        }
        context.handle().enqueue(requests).await;
        Ok(())
    }

    // Statuses.

    /// Writes what was found at each parent onto the routes where that is news.
    pub(super) async fn write_routes(&self, candidates: &[Candidate], verdicts: &Verdicts) -> Outcome {
        for Candidate { key, version, route } in candidates {
            // A route that its own reconcile has not seen yet comes later.
            let (Some(parents), Some(status)) = (verdicts.routes.get(key), &route.status) else { continue };
            let is_news =
                |(parent, binding): (&String, &Binding)| status.parents.get(parent) != Some(binding);
            if !parents.iter().any(is_news) {
                continue;
            }
            let mut route = route.clone();
            route.status.get_or_insert_default().parents.extend(parents.clone());
            self.write_at(key, *version, route).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, entry: &Entry, value: impl Serialize) -> Outcome {
        self.write_at(&entry.key, entry.version, value).await
    }

    /// Writes an entry with its new status, unless somebody else wrote it meanwhile.
    async fn write_at(&self, key: &Key, version: u64, value: impl Serialize) -> Outcome {
        match self.variant {
            Variant::StatusOverwrites => self.store.put(key.clone(), value).await?,
            _ => self.store.update(key.clone(), version, value).await?,
        };
        Ok(())
    }

    pub(super) fn came(&self) -> std::sync::MutexGuard<'_, Vec<Key>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
