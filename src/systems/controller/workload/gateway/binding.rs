//! Which routes a gateway takes: pure, from the gateway and the routes that ask for it. Separate because both the
//! reconcile of a gateway and that of a route need the same answer; it must not know the store's calls.

use super::model::{ApiGateway, Binding, Bound, Protocol, Route, protocol, route_text};
use crate::store::Key;
use std::collections::BTreeMap;

/// A route as it was read.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) key: Key,
    pub(super) version: u64,
    pub(super) route: Route,
}

impl Candidate {
    /// Whether its own reconcile found its backends in order.
    fn is_accepted(&self) -> bool {
        self.route.status.as_ref().is_some_and(|status| status.accepted)
    }
}

/// What a gateway takes.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) bound: Bound,
    /// By route, and by the text of its parent.
    pub(super) routes: BTreeMap<Key, BTreeMap<String, Binding>>,
}

/// Judges the candidates in their order: a listener that takes one route takes the first.
pub(super) fn bind(name: &str, gateway: Option<&ApiGateway>, candidates: &[Candidate]) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for listener in gateway.map_or(&[][..], |gateway| &gateway.listeners) {
        verdicts.bound.listeners.entry(listener.name.clone()).or_default();
    }
    for candidate in candidates {
        let mut parents = BTreeMap::new();
        for parent in candidate.route.parents_at(name) {
            let binding = judge(gateway, &parent.listener, candidate, &verdicts.bound);
            if binding == Binding::Bound {
                let routes = verdicts.bound.listeners.entry(parent.listener.clone()).or_default();
                routes.insert(route_text(&candidate.key));
            }
            parents.insert(parent.text(), binding);
        }
        verdicts.routes.insert(candidate.key.clone(), parents);
    }
    verdicts
}

fn judge(gateway: Option<&ApiGateway>, listener: &str, candidate: &Candidate, bound: &Bound) -> Binding {
    let Some(gateway) = gateway else { return Binding::NoGateway };
    if !gateway.status.as_ref().is_some_and(|status| status.accepted) {
        return Binding::GatewayRefused;
    }
    let Some(listener) = gateway.listeners.iter().find(|known| known.name == listener) else {
        return Binding::NoListener;
    };
    if listener.protocol != protocol(&candidate.key.kind) {
        return Binding::WrongProtocol;
    }
    if !candidate.is_accepted() {
        return Binding::RouteRefused;
    }
    let is_taken = bound.listeners.get(&listener.name).is_some_and(|routes| !routes.is_empty());
    if listener.protocol == Protocol::Tcp && is_taken { Binding::Conflict } else { Binding::Bound }
}
