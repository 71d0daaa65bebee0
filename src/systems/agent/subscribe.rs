//! Logs of the tasks of a node, for whoever subscribed to them. Separate from the worker, whose controllers have the
//! logs; it must not know sessions.

use super::controller::Controller;
use super::error::TaskError;
use super::logs::{LogOptions, LogPublisherProvider, Subscribed, Subscription};
use super::watched::Watched;
use super::worker::Worker;
use crate::select;
use crate::sync::{CancellationToken, broadcast};
use crate::task::JoinSet;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Worker {
    /// Publishes the logs of tasks until all have ended; where the subscription follows, until it is cancelled, also of
    /// those that start later. Controllers without logs have none, which is no error.
    ///
    /// # Errors
    /// There is no publisher for it.
    pub async fn subscribe(
        &self,
        cancel: &CancellationToken,
        subscription: &Subscription,
        provider: &dyn LogPublisherProvider,
    ) -> Result<(), TaskError> {
        let subscribed = provider.publisher(&subscription.id).await?;
        let (controllers, mut started) = self.controllers(&subscription.tasks).await;
        let options = subscription.options;
        let mut publishing = Publishing { subscribed, options, tasks: JoinSet::new(), met: BTreeSet::new() };
        publishing.add(controllers);
        while options.follow || !publishing.tasks.is_empty() {
            select! {
                () = cancel.cancelled() => break,
                Some(_) = publishing.tasks.join_next(), if !publishing.tasks.is_empty() => {}
                task = started.recv(), if options.follow => match task {
                    Ok(task) if subscription.tasks.contains(&task) => {
                        publishing.add(self.controllers(&[task].into()).await.0);
                    }
                    Ok(_) => {}
                    // Some starts were missed: whatever runs now and was not met is one of them.
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        publishing.add(self.controllers(&subscription.tasks).await.0);
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            }
        }
        publishing.end().await;
        Ok(())
    }
}

/// What publishes for a subscription.
struct Publishing {
    subscribed: Subscribed,
    options: LogOptions,
    tasks: JoinSet<()>,
    /// The numbers of the controllers that publish, or have.
    met: BTreeSet<u64>,
}

impl Publishing {
    /// Has those publish that were not met yet.
    fn add(&mut self, controllers: Vec<Arc<Watched>>) {
        for controller in controllers {
            if self.met.insert(controller.number()) {
                publish(&mut self.tasks, controller, &self.subscribed, self.options);
            }
        }
    }

    /// Cancels all, and waits until they have ended.
    async fn end(self) {
        let Publishing { subscribed, mut tasks, .. } = self;
        drop(subscribed);
        while tasks.join_next().await.is_some() {}
    }
}

fn publish(
    publishing: &mut JoinSet<()>,
    controller: Arc<Watched>,
    subscribed: &Subscribed,
    options: LogOptions,
) {
    let (cancel, publisher) = (subscribed.cancel.clone(), subscribed.publisher.clone());
    publishing.spawn(async move {
        if let Some(logs) = controller.logs(&cancel, publisher, options)
            && let Err(error) = logs.await
            && !error.is_interruption()
        {
            tracing::warn!("logs ended: {error}");
        }
    });
}
