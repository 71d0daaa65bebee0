//! The part of the reconciler for routes: their chains, the triggers over these, and the gateways that they ask for.
//! Separate from that for gateways, on which it stands.

use super::super::super::{Context, ReconcileError, Repeat, Request};
use super::super::read;
use super::chains::WatchSet;
use super::model::{
    Accepted, BOUND, Binding, Bound, GATEWAY, Protocol, REDIRECTS_MAX, RESOLVER, Resolver, Route,
    RouteStatus, protocol,
};
use super::reconciler::{Asker, Gateways, Outcome};
use super::variant::Variant;
use crate::store::{Entry, Key, StoreError};
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::sync::Arc;

/// The gateways that concern a route, by name, as they were read.
type Found = BTreeMap<Arc<str>, Option<Entry>>;

impl Gateways {
    pub(super) async fn route(&self, context: &Context, request: &Request) -> Outcome {
        let key = Key::new(request.kind.clone(), request.name.clone());
        let entry = self.store.entry(key.clone()).await?;
        read(request, entry.as_ref());
        let Some(entry) = entry else { return self.route_gone(context, request, &key).await };
        let route: Route = entry.parse()?;
        let accepted = self.accept(context, request, &route).await?;
        let gateways = self.gateways_of(&key, &route).await?;
        let status = status(&route, accepted, &gateways);
        if route.status.as_ref() != Some(&status) {
            // That is a change of the route, whose next reconcile binds by it.
            return self.write(&entry, Route { status: Some(status), ..route }).await;
        }
        self.come(status.accepted, key);
        self.settle_all(gateways).await
    }

    /// The route is gone: no gateway has it, and nothing waits for its chains.
    async fn route_gone(&self, context: &Context, request: &Request, key: &Key) -> Outcome {
        let gateways = self.bound_to(key).await?;
        if self.variant == Variant::TriggerOutlivesRoute && gateways.is_empty() {
            return Ok(());
        }
        self.settle_all(self.entries(gateways).await?).await?;
        context.handle().remove_trigger(request).await;
        Ok(())
    }

    async fn settle_all(&self, gateways: Found) -> Outcome {
        for gateway in gateways.into_values().flatten() {
            self.settle(&gateway, Asker::Route).await?;
        }
        Ok(())
    }

    /// Keeps the order in which routes came, whoever asks for it.
    fn come(&self, is_accepted: bool, key: Key) {
        let mut came = self.came();
        if is_accepted && !came.contains(&key) {
            came.push(key);
        }
    }

    // Gateways.

    /// The gateways that a route asks for, and those that have it still.
    async fn gateways_of(&self, key: &Key, route: &Route) -> Result<Found, ReconcileError> {
        let mut names = self.bound_to(key).await?;
        names.extend(route.parents.iter().map(|parent| Arc::from(parent.gateway.as_str())));
        self.entries(names).await
    }

    /// The gateways that a route is bound to.
    async fn bound_to(&self, route: &Key) -> Result<Vec<Arc<str>>, ReconcileError> {
        let mut gateways = Vec::new();
        for entry in self.store.list(BOUND).await? {
            if entry.parse::<Bound>()?.has(route) {
                gateways.push(entry.key.name);
            }
        }
        Ok(gateways)
    }

    async fn entries(&self, names: Vec<Arc<str>>) -> Result<Found, ReconcileError> {
        let mut found = Found::new();
        for name in names {
            if let btree_map::Entry::Vacant(place) = found.entry(name.clone()) {
                place.insert(self.store.entry((GATEWAY, name)).await?);
            }
        }
        Ok(found)
    }

    // Chains.

    /// Reads the chain of each backend, and has the route reconciled again when a resolver changes that any of them
    /// read.
    async fn accept(
        &self,
        context: &Context,
        request: &Request,
        route: &Route,
    ) -> Result<Accepted, ReconcileError> {
        let (mut watched, mut problem) = (self.chains.watch(), None);
        for (number, backend) in route.backends.iter().enumerate() {
            let found = self.follow(backend, &mut watched).await?;
            problem = problem.or(misfit(backend, found, protocol(&request.kind)));
            if number == 0 && self.variant == Variant::TriggerAfterFirstChain {
                self.register(context, request, &watched).await;
            }
        }
        if self.variant != Variant::TriggerAfterFirstChain {
            self.register(context, request, &watched).await;
        }
        Ok(Accepted::of(problem))
    }

    async fn register(&self, context: &Context, request: &Request, watched: &WatchSet) {
        let watched = watched.clone();
        let call = move |_| watched.clone().changed();
        context.handle().add_trigger(request.clone(), call, Repeat::Once).await;
    }

    /// What the service speaks that serves in the end; none when a resolver is missing, or one leads back.
    async fn follow(&self, backend: &str, watched: &mut WatchSet) -> Result<Option<Protocol>, StoreError> {
        let mut service: Arc<str> = backend.into();
        for _ in 0..=REDIRECTS_MAX {
            // Before it is read, so that no change falls in between.
            watched.add(&service);
            let resolver = self.store.get::<Resolver>((RESOLVER, service)).await?;
            match resolver {
                None => return Ok(None),
                Some(Resolver { protocol, redirect: None }) => return Ok(Some(protocol)),
                Some(Resolver { redirect: Some(next), .. }) => service = next.into(),
            }
        }
        Ok(None)
    }
}

/// What is wrong with a backend, if anything.
fn misfit(backend: &str, found: Option<Protocol>, wanted: Protocol) -> Option<String> {
    match found {
        None => Some(format!("nothing serves {backend}")),
        Some(found) if found != wanted => Some(format!("{backend} speaks another protocol")),
        Some(_) => None,
    }
}

/// What is to stand on a route before its gateways are asked.
fn status(route: &Route, accepted: Accepted, gateways: &Found) -> RouteStatus {
    let before = route.status.as_ref().map(|status| &status.parents);
    let parents = route.parents.iter().map(|parent| {
        let name = parent.text();
        let binding = match gateways.get(parent.gateway.as_str()) {
            Some(Some(_)) => before.and_then(|before| before.get(&name)).copied().unwrap_or(Binding::Pending),
            Some(None) | None => Binding::NoGateway,
        };
        (name, binding)
    });
    RouteStatus { accepted: accepted.accepted, reason: accepted.reason, parents: parents.collect() }
}
