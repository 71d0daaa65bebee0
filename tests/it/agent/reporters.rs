//! The status reporter: the latest status of each task is sent until it is, and none twice (1.11).

use super::{ms, simulate};
use fatum::rand::rng_at;
use fatum::sync::Notify;
use fatum::systems::agent::error::BoxError;
use fatum::systems::agent::{
    AgentOptions, BoxFuture, Reporter, StatusReporter, StatusSender, TaskId, TaskState, TaskStatus, Variant,
};
use fatum::task::{spawn, yield_now};
use fatum::time::sleep;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Fails one time in ten.
#[derive(Default)]
struct Flaky {
    sent: Mutex<Vec<(TaskId, TaskState)>>,
}

impl StatusSender for Flaky {
    fn send<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            if rng_at("flaky").below(10) == 9 {
                return Err("no".into());
            }
            self.sent.lock().unwrap().push((task.clone(), status.state));
            Ok(())
        })
    }
}

#[test]
fn the_last_status_of_each_of_a_hundred_tasks_is_sent_and_none_is_sent_twice() {
    for seed in [1, 2, 3] {
        let sender = Arc::new(Flaky::default());
        let sending = sender.clone();
        super::world::simulate_seeded(seed, move || async move {
            let reporter = Arc::new(Reporter::start(sending));
            for number in 0..100 {
                let reporter = reporter.clone();
                spawn(async move {
                    let task = TaskId::from(format!("task-{number}"));
                    use TaskState::{Accepted, Complete, Preparing, Ready};
                    for state in [Accepted, Preparing, Ready, Complete] {
                        reporter.report(&task, &TaskStatus::of(state, "")).await;
                    }
                });
            }
            sleep(ms(10)).await;
            reporter.close();
        });
        let sent = sender.sent.lock().unwrap();
        let mut last = BTreeMap::new();
        for (task, state) in sent.iter() {
            assert!(last.insert(task.clone(), *state).is_none_or(|before| before < *state), "{task} twice");
        }
        assert_eq!(last.len(), 100);
        assert!(last.values().all(|state| *state == TaskState::Complete));
    }
}

/// Holds the first send until it is let go, and fails it.
#[derive(Default)]
struct Held {
    go: Notify,
    sent: Mutex<Vec<TaskState>>,
}

impl StatusSender for Held {
    fn send<'a>(&'a self, _task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            let is_first = self.sent.lock().unwrap().is_empty();
            self.sent.lock().unwrap().push(status.state);
            if is_first {
                self.go.notified().await;
                return Err("no".into());
            }
            Ok(())
        })
    }
}

/// What is sent where the first of these fails, and the others are reported meanwhile.
fn sent(variant: Variant, reported: &[TaskState]) -> Vec<TaskState> {
    let sender = Arc::new(Held::default());
    let (sending, reported) = (sender.clone(), reported.to_vec());
    simulate(move || async move {
        let options = AgentOptions::planted(variant);
        let (reporter, task) = (Reporter::start_with(sending.clone(), options), TaskId::from("t"));
        for state in reported {
            reporter.report(&task, &TaskStatus::of(state, "")).await;
            sleep(ms(1)).await;
        }
        sending.go.notify_one();
        sleep(ms(1)).await;
    });
    let sent = sender.sent.lock().unwrap();
    sent.clone()
}

#[test]
fn what_failed_is_not_sent_over_something_newer_and_what_is_older_is_dropped() {
    use TaskState::{Accepted, Ready, Running};
    assert_eq!(sent(Variant::Correct, &[Accepted, Running, Ready, Running]), [Accepted, Running]);
    assert_eq!(sent(Variant::StaleRequeued, &[Accepted, Running]), [Accepted, Accepted]);
}

#[test]
fn what_failed_is_sent_again_in_place_of_something_older() {
    use TaskState::{Ready, Running};
    assert_eq!(sent(Variant::Correct, &[Running, Ready]), [Running, Running]);
}

/// Fails at once, every time.
#[derive(Default)]
struct Refusing(Mutex<u64>);

impl StatusSender for Refusing {
    fn send<'a>(&'a self, _task: &'a TaskId, _status: &'a TaskStatus) -> BoxFuture<'a, Result<(), BoxError>> {
        let mut times = self.0.lock().unwrap();
        *times += 1;
        assert!(*times < 1000, "nothing else comes to run");
        Box::pin(async { Err("no".into()) })
    }
}

#[test]
fn a_sender_that_fails_at_once_can_be_stopped() {
    let sender = Arc::new(Refusing::default());
    let sending = sender.clone();
    simulate(move || async move {
        let reporter = Reporter::start(sending.clone());
        reporter.report(&TaskId::from("t"), &TaskStatus::of(TaskState::Running, "")).await;
        for _ in 0..10 {
            yield_now().await;
        }
        reporter.close();
        sleep(ms(1)).await;
        let times = *sending.0.lock().unwrap();
        sleep(ms(1)).await;
        assert_eq!(*sending.0.lock().unwrap(), times);
    });
    assert!(*sender.0.lock().unwrap() > 1);
}

#[test]
fn a_closed_reporter_sends_nothing_more() {
    let sender = Arc::new(Flaky::default());
    let sending = sender.clone();
    simulate(move || async move {
        let reporter = Reporter::start(sending);
        reporter.close();
        reporter.report(&TaskId::from("t"), &TaskStatus::of(TaskState::Running, "")).await;
        sleep(ms(1)).await;
    });
    assert!(sender.sent.lock().unwrap().is_empty());
}
