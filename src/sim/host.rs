//! Hosts: names under which mains run. What they are in sites, task paths and tapes is fixed here.

use crate::host::Disk;
use crate::runtime::End;
use crate::runtime::boxes::{Boxed, boxed};
use crate::runtime::current;
use crate::runtime::hosts::{Again, Main};
use crate::runtime::world::World;
use crate::store::{Client, Store};
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// A host that is being set up.
pub struct HostBuilder<'a> {
    world: &'a mut World,
    host: u16,
    daemon: bool,
}

/// What a main knows of its host.
#[derive(Clone, Debug)]
pub struct Host {
    name: Arc<str>,
    /// Made at its first use: most worlds have no store.
    store: OnceLock<Client>,
}

impl Host {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it has started, from 1.
    pub fn incarnation(&self) -> u32 {
        crate::host::incarnation(&self.name)
    }

    /// Its disk: what survives a crash.
    pub fn disk(&self) -> Disk {
        Disk::new(self.name.clone())
    }

    fn new(name: Arc<str>) -> Host {
        Host { name, store: OnceLock::new() }
    }

    /// The store of the simulation, called from this host: a client of the host's name. Each main, and each restart of
    /// it, has a client that has seen nothing yet.
    ///
    /// # Panics
    /// Before the run: what [`HostBuilder::run`] is given has to call it in its future.
    pub fn store(&self) -> Client {
        assert!(
            current::is_simulated(),
            "Host::store before the run: call it inside the main's `async` block"
        );
        let made = || current::with(Store::of).client(self.name.clone());
        self.store.get_or_init(made).clone()
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
        let host = world.host(name);
        HostBuilder { world, host, daemon: false }
    }

    fn name(&mut self) -> Arc<str> {
        self.world.machine(self.host).name.clone()
    }

    /// It serves for ever: the run does not wait for its mains, and what descends from them is no leak.
    pub fn daemon(mut self) -> HostBuilder<'a> {
        self.daemon = true;
        self
    }

    /// Runs a main on the host, once. The run ends when all mains of hosts that are no daemons have.
    ///
    /// A host of such mains alone is not crashed by faults, since nothing could bring it back: see [`HostBuilder::serve`].
    pub fn run<F, M>(mut self, main: M) -> HostBuilder<'a>
    where
        M: FnOnce(Host) -> F,
        F: Future + 'static,
        F::Output: MainResult,
    {
        let main = main(Host::new(self.name()));
        self.run_future(main)
    }

    /// As [`HostBuilder::run`], for a main that need not know its host.
    pub(super) fn run_future<F>(self, main: F) -> HostBuilder<'a>
    where
        F: Future + 'static,
        F::Output: MainResult,
    {
        let main = boxed(watched(self.host, main));
        self.begin(main, false)
    }

    /// Runs a main on the host, and again each time that the host starts after a crash. What the main needs to live on
    /// must be durable: the host's disk, or another host's store.
    ///
    /// What the closure itself captures is not lost in a crash; what its future holds is.
    pub fn serve<F, M>(mut self, main: M) -> HostBuilder<'a>
    where
        M: Fn(Host) -> F + 'static,
        F: Future + 'static,
        F::Output: MainResult,
    {
        let (number, name, main) = (self.host, self.name(), Rc::new(main));
        let again: Again = Rc::new(move || {
            let (main, host) = (main.clone(), Host::new(name.clone()));
            boxed(watched(number, async move { main(host).await }))
        });
        let first = again();
        self.world.machine(self.host).mains.push(Main { again, daemon: self.daemon });
        self.begin(first, true)
    }

    fn begin(self, main: Boxed, serves: bool) -> HostBuilder<'a> {
        assert!(
            !self.world.is_down(self.host),
            "host {} is down: restart it before it is given a main",
            self.world.machine(self.host).name
        );
        let begun = self.world.begin_main(self.host, main, self.daemon, serves);
        assert!(begun.is_ok(), "a simulation that is being set up takes tasks");
        self
    }
}

/// A main of the host of that number, whose error ends the run.
async fn watched<F>(host: u16, main: F)
where
    F: Future,
    F::Output: MainResult,
{
    if let Some(message) = main.await.into_error() {
        current::with(|world| {
            let host = world.machine(host).name.to_string();
            world.end_with(End::Failed { host, message });
        });
    }
}
