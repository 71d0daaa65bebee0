//! The oracle: what the statuses and what is bound must be, from scratch, from what the user wrote. It must not share a
//! line with the reconciler that decides anything.

use super::model::{
    Accepted, ApiGateway, BOUND, Binding, Bound, CERTIFICATE, Certificate, GATEWAY, Protocol, RESOLVER,
    ROUTES, Resolver, Route, RouteStatus, protocol,
};
use crate::store::{Key, Store};
use serde::de::DeserializeOwned;
use serde_json::{Value, to_value};
use std::collections::BTreeMap;

/// What the user wrote.
struct Wanted {
    gateways: BTreeMap<String, ApiGateway>,
    routes: BTreeMap<Key, Route>,
    resolvers: BTreeMap<String, Resolver>,
    certificates: BTreeMap<String, Certificate>,
}

/// The gateways and routes with their statuses, and what is bound.
pub(super) fn desired(store: &Store) -> BTreeMap<Key, Value> {
    let wanted = Wanted::of(store);
    let mut desired = BTreeMap::new();
    let mut add = |key: Key, value: Result<Value, serde_json::Error>| {
        desired.insert(key, value.expect("what was read as JSON is JSON"));
    };
    for (name, gateway) in &wanted.gateways {
        let status = Some(verdict(wanted.gateway_problem(gateway)));
        add(Key::new(GATEWAY, name.as_str()), to_value(ApiGateway { status, ..gateway.clone() }));
        add(Key::new(BOUND, name.as_str()), to_value(wanted.bound(name, gateway)));
    }
    for (key, route) in &wanted.routes {
        let status = Some(wanted.status(key, route));
        add(key.clone(), to_value(Route { status, ..route.clone() }));
    }
    desired
}

fn verdict(problem: Option<String>) -> Accepted {
    let accepted = problem.is_none();
    Accepted { accepted, reason: problem.unwrap_or_default() }
}

impl Wanted {
    fn of(store: &Store) -> Wanted {
        let routes = ROUTES.into_iter().flat_map(|kind| store.list(kind));
        Wanted {
            gateways: all(store, GATEWAY),
            routes: routes.map(|entry| (entry.key.clone(), entry.parse().expect("a route"))).collect(),
            resolvers: all(store, RESOLVER),
            certificates: all(store, CERTIFICATE),
        }
    }

    /// The first certificate that is missing or cannot be used.
    fn gateway_problem(&self, gateway: &ApiGateway) -> Option<String> {
        let mut names = gateway.listeners.iter().filter_map(|listener| listener.certificate.as_ref());
        names.find_map(|name| match self.certificates.get(name) {
            None => Some(format!("there is no certificate {name}")),
            Some(certificate) => (!certificate.valid).then(|| format!("the certificate {name} is not valid")),
        })
    }

    /// The first backend that nothing serves, or that speaks something else.
    fn route_problem(&self, key: &Key, route: &Route) -> Option<String> {
        route.backends.iter().find_map(|backend| match self.served(backend) {
            None => Some(format!("nothing serves {backend}")),
            Some(spoken) => {
                (spoken != protocol(&key.kind)).then(|| format!("{backend} speaks another protocol"))
            }
        })
    }

    fn served(&self, backend: &str) -> Option<Protocol> {
        let mut resolver = self.resolvers.get(backend)?;
        // No chain without a circle is longer.
        for _ in 0..self.resolvers.len() {
            match &resolver.redirect {
                None => return Some(resolver.protocol),
                Some(next) => resolver = self.resolvers.get(next)?,
            }
        }
        None
    }

    fn status(&self, key: &Key, route: &Route) -> RouteStatus {
        let Accepted { accepted, reason } = verdict(self.route_problem(key, route));
        let parents = route.parents.iter().map(|parent| {
            let binding = self.binding(key, route, &parent.gateway, &parent.listener);
            (format!("{}/{}", parent.gateway, parent.listener), binding)
        });
        RouteStatus { accepted, reason, parents: parents.collect() }
    }

    fn binding(&self, key: &Key, route: &Route, gateway: &str, listener: &str) -> Binding {
        let Some(found) = self.gateways.get(gateway) else { return Binding::NoGateway };
        if self.gateway_problem(found).is_some() {
            return Binding::GatewayRefused;
        }
        match found.listeners.iter().find(|known| known.name == listener).map(|known| known.protocol) {
            None => Binding::NoListener,
            Some(spoken) if spoken != protocol(&key.kind) => Binding::WrongProtocol,
            Some(_) if self.route_problem(key, route).is_some() => Binding::RouteRefused,
            Some(Protocol::Http) => Binding::Bound,
            Some(Protocol::Tcp) if self.takers(gateway, listener).first() == Some(&key) => Binding::Bound,
            Some(Protocol::Tcp) => Binding::Conflict,
        }
    }

    /// The routes in order that ask for a listener and speak what it does, by name.
    fn takers(&self, gateway: &str, listener: &str) -> Vec<&Key> {
        let spoken = self.gateways.get(gateway).and_then(|gateway| {
            gateway.listeners.iter().find(|known| known.name == listener).map(|known| known.protocol)
        });
        let asks = |route: &Route| {
            route.parents.iter().any(|parent| parent.gateway == gateway && parent.listener == listener)
        };
        let routes = self.routes.iter().filter(|(key, route)| {
            asks(route) && spoken == Some(protocol(&key.kind)) && self.route_problem(key, route).is_none()
        });
        routes.map(|(key, _)| key).collect()
    }

    fn bound(&self, name: &str, gateway: &ApiGateway) -> Bound {
        let listeners = gateway.listeners.iter().map(|listener| {
            let bound = self.routes.iter().filter(|(key, route)| {
                route.parents.iter().any(|parent| {
                    (parent.gateway == name && parent.listener == listener.name)
                        && self.binding(key, route, name, &listener.name) == Binding::Bound
                })
            });
            (listener.name.clone(), bound.map(|(key, _)| key.to_string()).collect())
        });
        Bound { listeners: listeners.collect() }
    }
}

fn all<T: DeserializeOwned>(store: &Store, kind: &str) -> BTreeMap<String, T> {
    let parsed = store.list(kind).into_iter().map(|entry| {
        let value = entry.parse().unwrap_or_else(|error| panic!("{}: {error}", entry.key));
        (entry.key.name.to_string(), value)
    });
    parsed.collect()
}
