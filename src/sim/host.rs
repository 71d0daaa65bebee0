//! Hosts: names under which mains run. What they are in sites, task paths and tapes is fixed here.

use crate::runtime::End;
use crate::runtime::current;
use crate::runtime::world::World;
use crate::store::{Client, Store};
use crate::task::root;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// A host that is being set up.
pub struct HostBuilder<'a> {
    world: &'a mut World,
    host: u16,
    name: Arc<str>,
    daemon: bool,
}

/// What a main knows of its host.
#[derive(Clone, Debug)]
pub struct Host {
    name: Arc<str>,
    store: Client,
}

impl Host {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store of the simulation, called from this host: a client of the host's name. Each main, and each restart of
    /// it, has a client that has seen nothing yet.
    pub fn store(&self) -> Client {
        self.store.clone()
    }
}

/// What a main may return: nothing, or a result whose error fails the run.
pub trait MainResult: 'static {
    /// The error, in words.
    fn into_error(self) -> Option<String>;
}

impl MainResult for () {
    fn into_error(self) -> Option<String> {
        None
    }
}

/// Names the type of a main that never returns, which stable Rust cannot spell in an impl.
pub trait Returns {
    /// The type.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl MainResult for <fn() -> ! as Returns>::Output {
    fn into_error(self) -> Option<String> {
        self
    }
}

impl<T: 'static, E: fmt::Display + 'static> MainResult for Result<T, E> {
    fn into_error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

impl<'a> HostBuilder<'a> {
    pub(super) fn new(world: &'a mut World, name: &str) -> HostBuilder<'a> {
        let found = world.hosts.iter().position(|host| **host == *name);
        let host = found.unwrap_or_else(|| {
            world.hosts.push(Arc::from(name));
            world.hosts.len() - 1
        });
        let name = world.hosts[host].clone();
        let host = u16::try_from(host).expect("a simulation has at most 65,536 hosts");
        HostBuilder { world, host, name, daemon: false }
    }

    /// It serves for ever: the run does not wait for its mains, and what descends from them is no leak.
    pub fn daemon(mut self) -> HostBuilder<'a> {
        self.daemon = true;
        self
    }

    /// Runs a main on the host. The run ends when all mains of hosts that are no daemons have.
    pub fn run<F, M>(self, main: M) -> HostBuilder<'a>
    where
        M: FnOnce(Host) -> F,
        F: Future + 'static,
        F::Output: MainResult,
    {
        let store = Store::of(self.world).client(self.name.clone());
        let future = main(Host { name: self.name.clone(), store });
        let name = self.name.clone();
        let watched = async move {
            if let Some(message) = future.await.into_error() {
                current::with(|world| world.end_with(End::Failed { host: name.to_string(), message }));
            }
        };
        root(self.world, self.host, watched, self.daemon);
        self
    }
}
