//! The user: what is wanted, and how it changes. The pauses between edits are choices; in the baseline there are none.
//! It must not know the controller.

use super::Chance;
use super::model::{
    ApiGateway, CERTIFICATE, Certificate, GATEWAY, HTTP_ROUTE, Listener, Parent, Protocol, RESOLVER,
    Resolver, Route, TCP_ROUTE,
};
use super::{super::Stage, Gateway};
use crate::rand::rng_at;
use crate::store::{Key, Store, StoreError};
use crate::time::{Duration, sleep};
use serde::Serialize;

/// How long the user may pause between two edits, by choice.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_millis(2),
    Duration::from_millis(20),
    Duration::from_millis(500),
];

/// One user.
pub(super) struct User<'a> {
    pub(super) stage: &'a Stage,
    pub(super) workload: &'a Gateway,
}

impl User<'_> {
    /// Everything that the user does.
    pub(super) async fn work(&self) -> Result<(), StoreError> {
        self.create().await?;
        self.settled().await;
        self.go_back().await?;
        self.close_watches().await?;
        self.recreate_gateway().await?;
        self.change_second_backend().await?;
        self.change_certificate().await?;
        self.delete_route().await
    }

    async fn create(&self) -> Result<(), StoreError> {
        for name in ["edge", "inner"] {
            self.put((CERTIFICATE, name), Certificate { valid: true }).await?;
        }
        for (name, protocol, redirect) in [
            ("api", Protocol::Http, Some("api-v2")),
            ("api-v2", Protocol::Http, None),
            ("db", Protocol::Tcp, None),
            ("web", Protocol::Http, None),
        ] {
            let redirect = redirect.map(str::to_owned);
            self.put((RESOLVER, name), Resolver { protocol, redirect }).await?;
        }
        self.put((GATEWAY, "edge"), edge()).await?;
        self.put((GATEWAY, "inner"), inner("inner")).await?;
        for name in ["alpha", "beta"] {
            self.put((TCP_ROUTE, name), route(&["edge/raw"], &["db"])).await?;
        }
        self.put((HTTP_ROUTE, "shop"), route(&["edge/https", "inner/https"], &["web", "api"])).await?;
        self.create_more().await
    }

    /// The gateways and routes that the file asks for beside the others, ten routes to a gateway.
    async fn create_more(&self) -> Result<(), StoreError> {
        for number in 0..self.workload.routes {
            let gateway = format!("more-{}", number / 10);
            if number % 10 == 0 {
                self.put((GATEWAY, gateway.as_str()), inner("inner")).await?;
            }
            let parent = format!("{gateway}/https");
            self.put((HTTP_ROUTE, format!("more-{number}")), route(&[&parent], &["web", "api"])).await?;
        }
        Ok(())
    }

    /// A resolver changes, and the store goes back to before that, if it is to.
    async fn go_back(&self) -> Result<(), StoreError> {
        let before = self.store().snapshot();
        self.put((RESOLVER, "db"), Resolver { protocol: Protocol::Http, redirect: None }).await?;
        self.edit_route(2).await?;
        self.settled().await;
        if self.workload.restore.happens("user.restore") {
            self.store().restore(&before);
        }
        self.put((RESOLVER, "db"), Resolver { protocol: Protocol::Tcp, redirect: None }).await?;
        self.edit_route(3).await?;
        self.settled().await;
        Ok(())
    }

    /// All watches are closed while an edit is on its way, if they are to be.
    async fn close_watches(&self) -> Result<(), StoreError> {
        self.edit_route(4).await?;
        if self.workload.force_close.happens("user.force-close") {
            self.store().force_close(None);
        }
        self.edit_route(5).await?;
        self.settled().await;
        Ok(())
    }

    async fn recreate_gateway(&self) -> Result<(), StoreError> {
        self.delete((GATEWAY, "inner"))?;
        self.settled().await;
        self.put((GATEWAY, "inner"), inner("inner")).await?;
        self.settled().await;
        Ok(())
    }

    /// The service that serves the second backend speaks something else for a while.
    async fn change_second_backend(&self) -> Result<(), StoreError> {
        self.edit_route(6).await?;
        self.put((RESOLVER, "api-v2"), Resolver { protocol: Protocol::Tcp, redirect: None }).await?;
        self.settled().await;
        Ok(())
    }

    async fn change_certificate(&self) -> Result<(), StoreError> {
        let gateway = ApiGateway { status: None, ..inner("other") };
        self.put((GATEWAY, "inner"), gateway).await?;
        self.put((CERTIFICATE, "other"), Certificate { valid: true }).await?;
        self.settled().await;
        Ok(())
    }

    async fn delete_route(&self) -> Result<(), StoreError> {
        self.delete((TCP_ROUTE, "alpha"))?;
        self.settled().await;
        Ok(())
    }

    // How.

    fn store(&self) -> &Store {
        self.stage.store()
    }

    /// Writes an entry, and rests.
    async fn put(&self, key: impl Into<Key>, value: impl Serialize) -> Result<(), StoreError> {
        self.store().put(key, value)?;
        pause().await;
        Ok(())
    }

    fn delete(&self, key: impl Into<Key>) -> Result<(), StoreError> {
        self.store().delete(key).map(drop)
    }

    /// Writes a route anew, with the status that it has.
    async fn edit_route(&self, edition: u32) -> Result<(), StoreError> {
        let route: Option<Route> = self.store().peek((HTTP_ROUTE, "shop"));
        let Some(route) = route else { return Ok(()) };
        self.put((HTTP_ROUTE, "shop"), Route { edition, ..route }).await
    }

    async fn settled(&self) {
        self.stage.settled::<Gateway>(self.workload.patience.0).await;
    }
}

impl Chance {
    fn happens(self, site: &'static str) -> bool {
        match self {
            Chance::Never => false,
            Chance::Sometimes => rng_at(site).below(2) == 1,
            Chance::Always => true,
        }
    }
}

async fn pause() {
    let way = PAUSES[rng_at("user.pause").below(PAUSES.len() as u64) as usize];
    if !way.is_zero() {
        sleep(way).await;
    }
}

fn edge() -> ApiGateway {
    ApiGateway {
        listeners: vec![
            listener("https", Protocol::Http, Some("edge")),
            listener("raw", Protocol::Tcp, None),
        ],
        status: None,
    }
}

fn inner(certificate: &str) -> ApiGateway {
    ApiGateway { listeners: vec![listener("https", Protocol::Http, Some(certificate))], status: None }
}

fn listener(name: &str, protocol: Protocol, certificate: Option<&str>) -> Listener {
    Listener { name: name.to_owned(), protocol, certificate: certificate.map(str::to_owned) }
}

fn route(parents: &[&str], backends: &[&str]) -> Route {
    let parent = |text: &&str| {
        let (gateway, listener) = text.split_once('/').expect("the parents above are gateway/listener");
        Parent { gateway: gateway.to_owned(), listener: listener.to_owned() }
    };
    Route {
        parents: parents.iter().map(parent).collect(),
        backends: backends.iter().map(|backend| (*backend).to_owned()).collect(),
        edition: 1,
        status: None,
    }
}
