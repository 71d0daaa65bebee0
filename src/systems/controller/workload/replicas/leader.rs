//! A host: it leads, runs the controller as long as it does, and waits for the end of that before it leads again.
//! Separate from the elector, which knows no controller.

use super::elector::{Elector, Term};
use super::kinds::{POD, SET, STATUS, parts};
use super::pen::Pen;
use super::reconciler::{DELETED, Sets};
use super::record::ReplicasEvent;
use super::variant::Variant;
use super::{Replicas, Stage};
use crate::emit;
use crate::sim::Sim;
use crate::store::Store;
use crate::sync::{CancellationToken, mpsc};
use crate::systems::controller::{
    Begin, Change, Controller, Request, Shutdown, StorePublisher, Topic, transformer,
};
use crate::task::{JoinHandle, spawn_named};
use crate::time::Duration;
use std::sync::Arc;

/// The delay after the first failure of a reconcile, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What a host needs.
struct Leader {
    elector: Elector,
    store: Store,
    settings: Replicas,
    exits: Exits,
}

/// The ends of runs, as whoever starts them hears of them: without saying of which run.
struct Exits {
    tell: mpsc::UnboundedSender<()>,
    hear: mpsc::UnboundedReceiver<()>,
}

pub(super) fn install(sim: &mut Sim, stage: &Stage, settings: &Replicas, number: u32) {
    let (store, settings) = (stage.store().clone(), settings.clone());
    sim.host(&format!("controller-{number}")).daemon().serve(move |host| {
        let leader = Leader::new(host.name().into(), store.clone(), settings.clone());
        leader.serve()
    });
}

impl Leader {
    fn new(host: Arc<str>, store: Store, settings: Replicas) -> Leader {
        let client = store.client(host.clone()).consistent();
        let elector = Elector {
            host,
            client,
            lease: settings.lease.0,
            deadline: settings.deadline.0,
            renew: settings.renew.0,
            poll: settings.poll.0,
            variant: settings.variant,
        };
        let (tell, hear) = mpsc::unbounded_channel();
        Leader { elector, store, settings, exits: Exits { tell, hear } }
    }

    async fn serve(mut self) {
        loop {
            let term = self.elector.campaign().await;
            match self.settings.variant {
                Variant::ExitUntagged => self.lead_untagged(term).await,
                _ => self.lead(term).await,
            }
        }
    }

    /// Leads until the lease is lost or the run ends; returns when no reconcile runs any more.
    async fn lead(&self, mut term: Term) {
        let token = CancellationToken::new();
        let mut run = self.begin(&term, token.clone());
        let (because, has_ended) = crate::select! {
            biased;
            because = self.elector.keep(&mut term) => (because, false),
            _ = &mut run => ("its run ended", true),
        };
        self.step_down(&term, because);
        token.cancel();
        if !has_ended {
            // A run tells itself how it ended.
            drop(run.await);
        }
    }

    /// As [`Leader::lead`], but it does not wait: the next run may begin while this one ends, and hear its exit.
    async fn lead_untagged(&mut self, mut term: Term) {
        let token = CancellationToken::new();
        drop(self.begin(&term, token.clone()));
        let host = self.elector.host.clone();
        crate::select! {
            biased;
            because = self.elector.keep(&mut term) => {
                self.step_down(&term, because);
                token.cancel();
                return;
            }
            _ = self.exits.hear.recv() => {}
        }
        // So the run has ended, and what is left of it may go; the lease is still ours.
        emit(ReplicasEvent::ExitHeard { host, epoch: term.epoch });
        token.cancel();
        let because = self.elector.keep(&mut term).await;
        self.step_down(&term, because);
    }

    fn step_down(&self, term: &Term, because: &'static str) {
        let (host, epoch) = (self.elector.host.clone(), term.epoch);
        emit(ReplicasEvent::StepsDown { host, epoch, because });
    }

    /// Starts the controller of a term.
    fn begin(&self, term: &Term, token: CancellationToken) -> JoinHandle<()> {
        let (host, epoch) = (self.elector.host.clone(), term.epoch);
        let controller = self.controller(term);
        let tell = self.exits.tell.clone();
        emit(ReplicasEvent::RunBegan { host: host.clone(), epoch });
        spawn_named(format!("run-{epoch}"), async move {
            if let Err(error) = controller.run(token, Shutdown::Drop).await {
                tracing::error!(%error, "the run of a leader ends");
            }
            emit(ReplicasEvent::RunEnded { host, epoch });
            // Nobody hears it on a host that waits for the task itself.
            let _ = tell.send(());
        })
    }

    fn controller(&self, term: &Term) -> Controller {
        let (host, variant) = (self.elector.host.clone(), self.settings.variant);
        // A cache of its own for each leadership: it begins with a list, which may be old.
        let client = self.store.client(host.clone());
        let pen = Pen { host, client: client.clone(), epoch: term.epoch, fence: term.fence, variant };
        let sets = Sets {
            past_cache: self.store.client(pen.host.clone()),
            pen,
            client: client.clone(),
            resync: self.settings.resync.0,
            notes: self.settings.notes,
        };
        let builder = Controller::builder(Arc::new(StorePublisher::new(client)), sets)
            .subscribe_with(Topic::all(SET), [transformer(move |change| of_set(change, variant))])
            .subscribe_with(Topic::all(POD), [transformer(of_pod)])
            // A status may be all that is left of a set.
            .subscribe_with(Topic::all(STATUS), [transformer(of_status)])
            .begin(Begin::Primed)
            .workers(self.settings.workers)
            .variant(variant.engine());
        let builder = builder.backoff(BACKOFF.0, BACKOFF.1).expect("the first delay is the shorter one");
        builder.build().0
    }
}

fn of_set(change: &Change, variant: Variant) -> Vec<Request> {
    let name = change.key.name.clone();
    let mut requests = vec![Request::new(SET, name.clone())];
    if variant == Variant::DeletionHeard && change.value.is_none() {
        requests.push(Request::new(DELETED, name));
    }
    requests
}

fn of_status(change: &Change) -> Vec<Request> {
    vec![Request::new(SET, change.key.name.clone())]
}

fn of_pod(change: &Change) -> Vec<Request> {
    parts(&change.key.name).map(|(set, _)| Request::new(SET, set)).into_iter().collect()
}
