//! What the entries hold: gateways with listeners, routes with backends, resolvers, certificates, and what the controller
//! writes onto and beside them. Plain data; it must not know how the controller comes by it.

use crate::store::Key;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The kind of gateways.
pub const GATEWAY: &str = "api-gateway";
/// The kind of routes of HTTP listeners.
pub const HTTP_ROUTE: &str = "http-route";
/// The kind of routes of TCP listeners, of which each takes one.
pub const TCP_ROUTE: &str = "tcp-route";
/// The kind of certificates.
pub const CERTIFICATE: &str = "inline-certificate";
/// The kind of resolvers: what becomes of the traffic to a service.
pub const RESOLVER: &str = "service-resolver";
/// The kind of what is bound to a gateway, of its name: the controller's own.
pub const BOUND: &str = "bound-api-gateway";
/// The kind of the notes that a test may ask for.
pub const NOTE: &str = "gateway-note";

/// The kinds of routes.
pub(super) const ROUTES: [&str; 2] = [HTTP_ROUTE, TCP_ROUTE];

/// What a listener, a route and a service speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    /// HTTP: any number of routes per listener.
    Http,
    /// TCP: one route per listener.
    Tcp,
}

/// An API gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ApiGateway {
    /// Where it listens.
    pub(super) listeners: Vec<Listener>,
    /// The controller's word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) status: Option<Accepted>,
}

/// A listener of a gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Listener {
    /// Its name.
    pub(super) name: String,
    /// What it speaks.
    pub(super) protocol: Protocol,
    /// The name of the certificate that it shows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) certificate: Option<String>,
}

/// Whether an entry is in order, and if not, why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Accepted {
    /// Whether.
    pub(super) accepted: bool,
    /// Why not.
    pub(super) reason: String,
}

impl Accepted {
    pub(super) fn of(problem: Option<String>) -> Accepted {
        Accepted { accepted: problem.is_none(), reason: problem.unwrap_or_default() }
    }
}

/// An HTTP or a TCP route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Route {
    /// The listeners that it asks for.
    pub(super) parents: Vec<Parent>,
    /// The services that it leads to.
    pub(super) backends: Vec<String>,
    /// Counts the user's edits.
    pub(super) edition: u32,
    /// The controller's word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) status: Option<RouteStatus>,
}

/// A listener that a route asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Parent {
    /// The gateway.
    pub(super) gateway: String,
    /// Its listener.
    pub(super) listener: String,
}

/// What became of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RouteStatus {
    /// Whether its backends are in order.
    pub(super) accepted: bool,
    /// Why not.
    pub(super) reason: String,
    /// What became of it at each of its parents, by [`Parent::text`].
    pub(super) parents: BTreeMap<String, Binding>,
}

/// What became of a route at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Binding {
    /// It is bound.
    Bound,
    /// Nobody has looked yet.
    Pending,
    /// There is no such gateway.
    NoGateway,
    /// The gateway is not in order.
    GatewayRefused,
    /// The gateway has no such listener.
    NoListener,
    /// The listener speaks something else.
    WrongProtocol,
    /// Another route has the listener, which takes one.
    Conflict,
    /// The route is not in order.
    RouteRefused,
}

impl Parent {
    /// Gateway and listener.
    pub(super) fn text(&self) -> String {
        format!("{}/{}", self.gateway, self.listener)
    }
}

impl Route {
    /// Whether it asks for a listener of this gateway, judged by what the store holds.
    pub(super) fn asks_for(value: &Value, gateway: &str) -> bool {
        let parents = value.get("parents").and_then(Value::as_array);
        parents.is_some_and(|parents| parents.iter().any(|parent| parent["gateway"] == gateway))
    }

    /// The parents that are listeners of this gateway.
    pub(super) fn parents_at<'a>(&'a self, gateway: &'a str) -> impl Iterator<Item = &'a Parent> {
        self.parents.iter().filter(move |parent| parent.gateway == gateway)
    }
}

/// What a kind of routes speaks.
pub(super) fn protocol(kind: &str) -> Protocol {
    if kind == TCP_ROUTE { Protocol::Tcp } else { Protocol::Http }
}

/// A resolver: a service is served by itself or by another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Resolver {
    /// What the service speaks, if it serves itself.
    pub(super) protocol: Protocol,
    /// The service that serves instead.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) redirect: Option<String>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Certificate {
    /// Whether it can be used.
    pub(super) valid: bool,
}

/// What is bound to a gateway: the routes of each listener, by [`route_text`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bound {
    /// By listener.
    pub(super) listeners: BTreeMap<String, BTreeSet<String>>,
}

impl Bound {
    /// Whether any listener has this route.
    pub(super) fn has(&self, route: &Key) -> bool {
        let route = route_text(route);
        self.listeners.values().any(|routes| routes.contains(&route))
    }
}

/// The name of a route in what is bound.
pub(super) fn route_text(key: &Key) -> String {
    key.to_string()
}

/// How many redirects a chain may have.
pub(super) const REDIRECTS_MAX: usize = 4;
