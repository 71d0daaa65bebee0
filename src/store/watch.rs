//! A watch: a snapshot, its frame, then live events, in order, for one consumer. What goes wrong on the way is here; what
//! there is to hear is in the server's table.

use super::channel::Head;
use super::client::{Client, in_words, point};
use super::error::WatchError;
use super::event::{Event, Topic};
use crate::choice::fault::SITE_MISSED;
use crate::choice::{Access, Label};
use crate::fault::{ask, failpoint_on};
use crate::sync::Notify;
use crate::task::{Point, waiting_for};
use crate::time::{Instant, sleep_until};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

const NEXT: Label = Label::new("sync.store_next");
/// How many steps of latency a watch that coalesces is held back.
const COALESCE_STEPS: u32 = 64;

/// An open watch. Dropping it closes it.
pub struct Watch {
    client: Client,
    topic: Topic,
    id: u64,
    bell: Arc<Notify>,
    /// Its events pass through choices.
    is_faulty: bool,
    /// What was decided on the delivery of the next event: asked once, however often the wait is given up.
    delivery: Option<Delivery>,
}

#[derive(Clone, Copy)]
struct Delivery {
    due: Instant,
    coalesced: bool,
}

impl Watch {
    pub(super) fn new(client: Client, topic: Topic, id: u64, bell: Arc<Notify>, is_faulty: bool) -> Watch {
        Watch { client, topic, id, bell, is_faulty, delivery: None }
    }

    /// The next event. Safe to cancel: no event is lost.
    ///
    /// # Errors
    /// The watch ended; the same error from then on.
    #[expect(clippy::should_implement_trait, reason = "it is a future, as with streams")]
    #[track_caller]
    pub fn next(&mut self) -> impl Future<Output = Result<Event, WatchError>> {
        let point = point(NEXT, Access::Read);
        self.deliver(point)
    }

    async fn deliver(&mut self, point: Point) -> Result<Event, WatchError> {
        point.await;
        let store = self.client.store().clone();
        loop {
            while store.head(self.id)? == Head::Empty {
                waiting_for("the next event of a watch", self.bell.notified()).await;
            }
            let coalesced = self.is_faulty && self.travel().await?;
            // While it travelled the watch may have been closed, which the answer tells.
            if let Some(event) = store.take(self.id, coalesced)? {
                self.delivery = None;
                self.client.has_seen(event.index);
                return Ok(event);
            }
        }
    }

    /// Lets the next event travel; whether those behind it catch up with it and only the last of each entry arrive.
    async fn travel(&mut self) -> Result<bool, WatchError> {
        let delivery = match self.delivery {
            Some(delivery) => delivery,
            None => self.set_out().await?,
        };
        if delivery.due > Instant::now() {
            sleep_until(delivery.due).await;
        }
        Ok(delivery.coalesced)
    }

    async fn set_out(&mut self) -> Result<Delivery, WatchError> {
        let object = in_words(&self.topic);
        if let Err(injected) = failpoint_on("store.watch", &object).await {
            return Err(self.end(WatchError::Injected(injected)));
        }
        let latency = self.client.store().latency();
        let is_live = self.client.store().head(self.id)? == Head::Live;
        let missed = if is_live { ask(SITE_MISSED, &object) } else { 0 };
        if missed == 2 {
            return Err(self.end(WatchError::Lost { topic: self.topic.to_string() }));
        }
        let coalesced = missed == 1;
        let held = if coalesced { latency.step * COALESCE_STEPS } else { Duration::ZERO };
        let way = if is_live { latency.draw().both() } else { Duration::ZERO };
        let delivery = Delivery { due: Instant::now() + held + way, coalesced };
        self.delivery = Some(delivery);
        Ok(delivery)
    }

    /// Ends it; why.
    fn end(&self, error: WatchError) -> WatchError {
        self.client.store().close(self.id, error.clone());
        error
    }

    /// Closes it from its own side.
    pub fn unsubscribe(&self) {
        self.closer().unsubscribe();
    }

    /// A handle that closes it while it is awaited elsewhere.
    pub fn closer(&self) -> Closer {
        Closer { client: self.client.clone(), id: self.id }
    }

    /// What it is about.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }
}

/// Closes a watch from its own side.
#[derive(Clone, Debug)]
pub struct Closer {
    client: Client,
    id: u64,
}

impl Closer {
    /// The watch hears nothing more but that it was closed.
    pub fn unsubscribe(&self) {
        self.client.store().close(self.id, WatchError::Unsubscribed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.client.store().forget(self.id, &self.topic);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("id", &self.id).field("topic", &self.topic).finish_non_exhaustive()
    }
}
