//! Logs of the tasks of a node, for whoever subscribed to them. Separate from the worker, whose controllers have the
//! logs; it must not know sessions.

use super::controller::Controller;
use super::error::TaskError;
use super::logs::{LogPublisherProvider, Subscribed, Subscription};
use super::task::TaskId;
use super::worker::Worker;
use crate::select;
use crate::sync::{CancellationToken, broadcast};
use crate::task::JoinSet;
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
        let mut publishing = JoinSet::new();
        for controller in controllers {
            publish(&mut publishing, controller, &subscribed, subscription);
        }
        while subscription.options.follow || !publishing.is_empty() {
            select! {
                () = cancel.cancelled() => break,
                Some(_) = publishing.join_next(), if !publishing.is_empty() => {}
                task = started.recv(), if subscription.options.follow => match task {
                    Ok(task) if subscription.tasks.contains(&task) => {
                        self.publish_one(task, &mut publishing, &subscribed, subscription).await;
                    }
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
            }
        }
        drop(subscribed);
        while publishing.join_next().await.is_some() {}
        Ok(())
    }

    async fn publish_one(
        &self,
        task: TaskId,
        publishing: &mut JoinSet<()>,
        subscribed: &Subscribed,
        subscription: &Subscription,
    ) {
        for controller in self.controllers(&[task].into()).await.0 {
            publish(publishing, controller, subscribed, subscription);
        }
    }
}

fn publish(
    publishing: &mut JoinSet<()>,
    controller: Arc<dyn Controller>,
    subscribed: &Subscribed,
    subscription: &Subscription,
) {
    let (cancel, publisher) = (subscribed.cancel.clone(), subscribed.publisher.clone());
    let options = subscription.options;
    publishing.spawn(async move {
        if let Some(logs) = controller.logs(&cancel, publisher, options)
            && let Err(error) = logs.await
            && !error.is_interruption()
        {
            tracing::warn!("logs ended: {error}");
        }
    });
}
