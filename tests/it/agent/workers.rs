//! The worker: full and incremental assignment, what comes back after a restart, and the order in which a task goes
//! (1.10), with the reference's tests of it.

use super::world::simulate_seeded;
use super::{secs, simulate};
use fatum::span::Span;
use fatum::sync::CancellationToken;
use fatum::systems::agent::assignment::{AssignmentChange, Item};
use fatum::systems::agent::controller::Op;
use fatum::systems::agent::executor::EncryptionKey;
use fatum::systems::agent::logs::{
    LogMessage, LogOptions, LogPublisher, LogPublisherFn, LogPublisherProvider, Subscribed, Subscription,
};
use fatum::systems::agent::record::ContainerChange;
use fatum::systems::agent::{
    AgentError, AgentEvent, AgentOptions, BoxFuture, ContainerExecutor, Controller, Dependencies, Dependency,
    DependencyKind, DesiredState, Executor, Image, MemoryStorage, Node, NodeDescription, Parity, Records,
    Runtime, StatusReporter, Storage, Task, TaskError, TaskId, TaskState, TaskStatus, Worker,
};
use fatum::time::{Duration, Instant, sleep};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

fn images() -> Arc<BTreeMap<String, Image>> {
    let server = Image { pull: Span(secs(2)), stop: Span(secs(1)), ..Image::default() };
    let exotic = Image { unsupported: true, ..Image::default() };
    Arc::new(BTreeMap::from([("server".to_owned(), server), ("exotic".to_owned(), exotic)]))
}

/// A node: what is lost in a crash and what is not.
#[derive(Clone)]
struct Machine {
    runtime: Runtime,
    storage: MemoryStorage,
}

impl Machine {
    fn new() -> Machine {
        Machine { runtime: Runtime::new("n", images()), storage: MemoryStorage::default() }
    }

    async fn start(&self) -> (Worker, Arc<ContainerExecutor>) {
        let executor = Arc::new(ContainerExecutor::new(self.runtime.clone()));
        let worker = Worker::open("n", executor.clone(), Arc::new(self.storage.clone())).await;
        worker.init().await;
        (worker, executor)
    }

    /// A worker that makes these mistakes.
    async fn start_as(&self, parity: Parity) -> Worker {
        let executor = Arc::new(ContainerExecutor::new(self.runtime.clone()));
        let (storage, options) = (Arc::new(self.storage.clone()), AgentOptions::with_parity(parity));
        let worker = Worker::open_with("n".into(), executor, storage, options).await;
        worker.init().await;
        worker
    }

    async fn records(&self) -> Records {
        Records::open(Arc::new(self.storage.clone())).await
    }
}

fn task(id: &str) -> Item {
    Item::Task(Box::new(Task::new(id, "server").desiring(TaskState::Ready)))
}

fn held(kind: DependencyKind, id: &str) -> Item {
    Item::Dependency(Dependency { kind, id: id.to_owned(), data: String::new() })
}

fn secret(id: &str) -> Item {
    held(DependencyKind::Secret, id)
}

fn config(id: &str) -> Item {
    held(DependencyKind::Config, id)
}

fn updates(items: &[Item]) -> Vec<AssignmentChange> {
    items.iter().cloned().map(AssignmentChange::update).collect()
}

fn ids(names: &[&str]) -> Vec<TaskId> {
    names.iter().map(TaskId::from).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Exactly these are on the node.
async fn has(
    worker: &Worker,
    executor: &ContainerExecutor,
    tasks: &[&str],
    secrets: &[&str],
    configs: &[&str],
) {
    assert_eq!((worker.managed().await, worker.recorded().await), (ids(tasks), ids(tasks)));
    let dependencies = executor.dependencies().unwrap();
    assert_eq!((dependencies.secrets.ids(), dependencies.configs.ids()), (names(secrets), names(configs)));
}

#[test]
fn a_full_assignment_leaves_exactly_what_it_lists() {
    simulate(|| async {
        let (worker, executor) = Machine::new().start().await;
        let both = [task("t1"), task("t2"), secret("s1"), secret("s2"), config("c1")];
        worker.assign(&[]).await.unwrap();
        has(&worker, &executor, &[], &[], &[]).await;
        worker.assign(&updates(&both)).await.unwrap();
        has(&worker, &executor, &["t1", "t2"], &["s1", "s2"], &["c1"]).await;
        let mut next = updates(&[task("t2"), secret("s2"), config("c2")]);
        next.push(AssignmentChange::remove(task("t3")));
        next.push(AssignmentChange::remove(secret("s2")));
        worker.assign(&next).await.unwrap();
        has(&worker, &executor, &["t2"], &["s2"], &["c2"]).await;
        worker.assign(&updates(&[task("t1")])).await.unwrap();
        assert_eq!(worker.recorded().await, ids(&["t1"]));
        worker.wait().await;
        has(&worker, &executor, &["t1"], &[], &[]).await;
        worker.close().await;
        assert_eq!(worker.assign(&[]).await, Err(AgentError::Closed));
        assert_eq!(worker.update(&[]).await, Err(AgentError::Closed));
    });
}

#[test]
fn waiting_ends_when_all_that_was_removed_is_gone() {
    simulate(|| async {
        let machine = Machine::new();
        let (worker, executor) = machine.start().await;
        worker.assign(&updates(&[task("t1"), task("t2"), secret("s1"), config("c1")])).await.unwrap();
        sleep(secs(5)).await;
        assert_eq!(machine.runtime.tasks(), ids(&["t1", "t2"]));
        worker.assign(&[]).await.unwrap();
        worker.wait().await;
        has(&worker, &executor, &[], &[], &[]).await;
        assert_eq!(machine.runtime.tasks(), []);
    });
}

#[test]
fn an_incremental_assignment_changes_what_it_names() {
    simulate(|| async {
        let (worker, executor) = Machine::new().start().await;
        worker.update(&[]).await.unwrap();
        let first = updates(&[task("t1"), secret("s1"), config("c1")]);
        worker.update(&first).await.unwrap();
        has(&worker, &executor, &["t1"], &["s1"], &["c1"]).await;
        worker.update(&first).await.unwrap();
        has(&worker, &executor, &["t1"], &["s1"], &["c1"]).await;
        let mut swap = updates(&[task("t2"), secret("s1"), config("c2")]);
        swap.extend([task("t1"), secret("s1"), config("c1")].map(AssignmentChange::remove));
        worker.update(&swap).await.unwrap();
        has(&worker, &executor, &["t2"], &["s1"], &["c2"]).await;
        let gone = [task("unknown"), task("t2"), secret("unknown"), secret("s1"), config("c2")];
        worker.update(&gone.map(AssignmentChange::remove)).await.unwrap();
        has(&worker, &executor, &[], &[], &[]).await;
    });
}

#[test]
fn after_a_restart_tasks_go_on_and_what_was_not_assigned_is_forgotten() {
    simulate(|| async {
        let machine = Machine::new();
        let (worker, _) = machine.start().await;
        worker.assign(&updates(&[task("t1")])).await.unwrap();
        sleep(secs(5)).await;
        worker.close().await;
        machine.records().await.put_task(&Task::new("t2", "server")).await;
        let (worker, _) = machine.start().await;
        assert_eq!(worker.managed().await, ids(&["t1"]));
        assert_eq!(worker.recorded().await, ids(&["t1"]));
        let records = machine.records().await;
        assert_eq!(records.status(&"t1".into()).unwrap().state, TaskState::Ready);
        assert_eq!(machine.runtime.tasks(), ids(&["t1"]));
    });
}

#[test]
fn what_was_being_removed_is_removed_after_a_restart() {
    simulate(|| async {
        let machine = Machine::new();
        let (worker, _) = machine.start().await;
        worker.assign(&updates(&[task("t1")])).await.unwrap();
        sleep(secs(5)).await;
        worker.close().await;
        machine.records().await.set_removing(&"t1".into()).await;
        let (worker, _) = machine.start().await;
        worker.wait().await;
        assert_eq!((worker.recorded().await, machine.runtime.tasks()), (vec![], vec![]));
    });
}

#[test]
fn a_task_that_needs_a_secret_waits_for_it_after_a_restart() {
    let machine = Machine::new();
    let observed = simulate_seeded(0, move || async move {
        let mut needing = Task::new("t1", "server").desiring(TaskState::Ready);
        needing.spec.secrets = names(&["s1"]);
        let needing = Item::Task(Box::new(needing));
        let (worker, _) = machine.start().await;
        worker.assign(&updates(&[needing.clone(), secret("s1")])).await.unwrap();
        sleep(secs(1)).await;
        worker.close().await;
        let (worker, _) = machine.start().await;
        assert_eq!(worker.managed().await, []);
        worker.assign(&updates(&[needing, secret("s1")])).await.unwrap();
        sleep(secs(5)).await;
        assert_eq!(machine.records().await.status(&"t1".into()).unwrap().state, TaskState::Ready);
    });
    assert_eq!(observed.broken(), None);
}

/// A task that is removed and comes again, in one batch and in two; and with it, one that is removed for good.
#[test]
fn a_task_that_is_assigned_again_while_it_goes_comes_again() {
    for in_one in [true, false] {
        let machine = Machine::new();
        let observed = simulate_seeded(0, move || async move {
            let (worker, executor) = machine.start().await;
            worker.assign(&updates(&[task("t1"), task("t2"), secret("s1")])).await.unwrap();
            sleep(secs(5)).await;
            if in_one {
                let gone = [task("t1"), task("t2")].map(AssignmentChange::remove);
                worker.update(&[&gone[..], &updates(&[task("t1")])].concat()).await.unwrap();
            } else {
                worker.assign(&[]).await.unwrap();
                worker.assign(&updates(&[task("t1"), task("t2"), secret("s1")])).await.unwrap();
                worker.assign(&updates(&[task("t1"), secret("s1")])).await.unwrap();
            }
            assert_eq!(worker.recorded().await, ids(&["t1"]));
            sleep(secs(5)).await;
            has(&worker, &executor, &["t1"], &["s1"], &[]).await;
            assert_eq!(machine.runtime.tasks(), ids(&["t1"]));
            let records = machine.records().await;
            assert_eq!(records.status(&"t1".into()).unwrap().state, TaskState::Ready);
        });
        assert_eq!(observed.broken(), None);
        let created = observed.events.iter().filter(|(_, event)| {
            matches!(event, AgentEvent::Container { change: ContainerChange::Created, .. })
        });
        assert_eq!(created.count(), 3, "t1, t2, and t1 again");
    }
}

/// An executor that has no controllers as long as it is broken.
struct Balky {
    inner: ContainerExecutor,
    broken_until: Duration,
}

impl Executor for Balky {
    fn describe(&self) -> BoxFuture<'_, Result<NodeDescription, TaskError>> {
        self.inner.describe()
    }

    fn configure<'a>(&'a self, node: &'a Node) -> BoxFuture<'a, Result<(), TaskError>> {
        self.inner.configure(node)
    }

    fn controller<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Result<Arc<dyn Controller>, TaskError>> {
        match Instant::now().since_start() < self.broken_until {
            true => Box::pin(async { Err(TaskError::new("the daemon is away")) }),
            false => self.inner.controller(task),
        }
    }

    fn set_network_keys<'a>(&'a self, keys: &'a [EncryptionKey]) -> BoxFuture<'a, Result<(), TaskError>> {
        self.inner.set_network_keys(keys)
    }

    fn dependencies(&self) -> Option<&Dependencies> {
        self.inner.dependencies()
    }
}

#[test]
fn what_may_have_been_prepared_is_freed_however_long_there_is_no_controller() {
    simulate(|| async {
        let machine = Machine::new();
        let (worker, _) = machine.start().await;
        worker.assign(&updates(&[task("t1"), task("t2")])).await.unwrap();
        sleep(secs(5)).await;
        worker.close().await;
        let mut records = machine.records().await;
        records.set_removing(&"t1".into()).await;
        // It was never more than assigned.
        records.assign(&Task::new("t3", "server")).await;
        records.set_removing(&"t3".into()).await;
        let inner = ContainerExecutor::new(machine.runtime.clone());
        let executor = Arc::new(Balky { inner, broken_until: secs(20) });
        let worker = Worker::open("n", executor, Arc::new(machine.storage.clone())).await;
        worker.init().await;
        sleep(secs(2)).await;
        let going: Vec<String> = machine.storage.names("").await.unwrap();
        assert_eq!(going, ["v1/tasks/t1", "v1/tasks/t2"], "t3 had nothing to free");
        worker.wait().await;
        assert_eq!(machine.runtime.tasks(), ids(&["t2"]));
        assert_eq!(Instant::now().since_start(), secs(20));
        assert_eq!(worker.recorded().await, ids(&["t2"]));
        assert_eq!(worker.managed().await, [], "it had failed by then");
    });
}

#[test]
fn a_task_without_a_controller_is_tried_again_and_goes_with_a_full_assignment() {
    simulate(|| async {
        let machine = Machine::new();
        let exotic = Item::Task(Box::new(Task::new("t1", "exotic")));
        let (worker, _) = machine.start().await;
        for _ in 0..2 {
            worker.assign(&updates(std::slice::from_ref(&exotic))).await.unwrap();
            assert_eq!((worker.managed().await, worker.recorded().await), (vec![], ids(&["t1"])));
        }
        let status = machine.records().await.status(&"t1".into()).unwrap().clone();
        assert_eq!(
            (status.state, status.message.as_str()),
            (TaskState::Rejected, "resolving controller failed")
        );
        assert_eq!(status.err.as_deref(), Some("exec: unsupported runtime"));
        worker.assign(&[]).await.unwrap();
        worker.wait().await;
        assert_eq!(worker.recorded().await, []);
    });
}

/// The operations of a task, in order.
fn operations(events: &[(fatum::time::Duration, AgentEvent)]) -> Vec<(Op, bool)> {
    let of = |event: &AgentEvent| match event {
        AgentEvent::OpBegan { op, .. } => Some((*op, true)),
        AgentEvent::OpEnded { op, .. } => Some((*op, false)),
        _ => None,
    };
    events.iter().filter_map(|(_, event)| of(event)).collect()
}

#[test]
fn a_task_goes_in_order_interrupted_removed_closed_forgotten() {
    let machine = Machine::new();
    let observed = simulate_seeded(0, move || async move {
        let (worker, _) = machine.start().await;
        worker.assign(&updates(&[task("t1")])).await.unwrap();
        sleep(secs(1)).await;
        worker.assign(&[]).await.unwrap();
        worker.wait().await;
        assert_eq!(machine.runtime.tasks(), []);
    });
    assert_eq!(observed.broken(), None);
    let order = [Op::Prepare, Op::Remove, Op::Close];
    let expected: Vec<(Op, bool)> = order.into_iter().flat_map(|op| [(op, true), (op, false)]).collect();
    assert_eq!(operations(&observed.events), expected);
    let last = observed.events.iter().map(|(_, event)| event).rfind(|event| event.task().is_some());
    assert!(matches!(last, Some(AgentEvent::RecordDeleted { .. })), "{last:?}");
}

// What the reference does, for those who want that.

#[test]
fn with_parity_a_task_without_a_controller_is_forgotten_and_stays_recorded() {
    for (unresolved_forgotten, recorded) in [(false, &[][..]), (true, &["t1"])] {
        simulate(move || async move {
            let worker = Machine::new().start_as(Parity { unresolved_forgotten, ..Parity::NONE }).await;
            let exotic = Item::Task(Box::new(Task::new("t1", "exotic")));
            worker.assign(&updates(&[exotic])).await.unwrap();
            worker.assign(&[]).await.unwrap();
            worker.wait().await;
            assert_eq!(worker.recorded().await, ids(recorded));
        });
    }
}

/// Whether some schedule has a controller remove while it still prepares; none breaks anything else.
fn removes_beside(remove_beside_close: bool) -> bool {
    let broken = |seed| {
        let observed = simulate_seeded(seed, move || async move {
            let worker = Machine::new().start_as(Parity { remove_beside_close, ..Parity::NONE }).await;
            worker.assign(&updates(&[task("t1")])).await.unwrap();
            sleep(secs(1)).await;
            worker.assign(&[]).await.unwrap();
            worker.wait().await;
        });
        observed.broken()
    };
    let found: BTreeSet<&str> = (1..100).filter_map(broken).collect();
    assert!(found.iter().all(|property| *property == "remove-last"), "{found:?}");
    !found.is_empty()
}

#[test]
fn with_parity_a_controller_removes_beside_what_it_does() {
    assert!(!removes_beside(false));
    assert!(removes_beside(true));
}

#[test]
fn with_parity_a_record_goes_before_what_its_task_used() {
    for (record_deleted_first, records) in [(false, 1), (true, 0)] {
        simulate(move || async move {
            let machine = Machine::new();
            let worker = machine.start_as(Parity { record_deleted_first, ..Parity::NONE }).await;
            worker.assign(&updates(&[task("t1")])).await.unwrap();
            sleep(secs(5)).await;
            worker.assign(&[]).await.unwrap();
            let left = (machine.storage.names("").await.unwrap().len(), machine.runtime.tasks().len());
            assert_eq!(left, (records, 1));
            worker.wait().await;
            assert_eq!(machine.runtime.tasks(), []);
        });
    }
}

/// Keeps the states that it hears of.
#[derive(Default)]
struct Heard(Mutex<Vec<(TaskId, TaskState)>>);

impl StatusReporter for Heard {
    fn report<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        self.0.lock().unwrap().push((task.clone(), status.state));
        Box::pin(async {})
    }
}

#[test]
fn a_listener_hears_what_is_stored_first_and_everything_again_when_asked() {
    simulate(|| async {
        let (worker, _) = Machine::new().start().await;
        worker.assign(&updates(&[task("t1"), task("t2")])).await.unwrap();
        sleep(secs(5)).await;
        let heard = Arc::new(Heard::default());
        let _listening = worker.listen(heard.clone()).await;
        let ready = [("t1".into(), TaskState::Ready), ("t2".into(), TaskState::Ready)];
        assert_eq!(*heard.0.lock().unwrap(), ready);
        worker.report(&*heard).await;
        assert_eq!(*heard.0.lock().unwrap(), [ready.clone(), ready].concat());
    });
}

#[test]
fn a_status_is_accepted_twice_and_then_goes_on() {
    simulate(|| async {
        let (worker, _) = Machine::new().start().await;
        let heard = Arc::new(Heard::default());
        let listening = worker.listen(heard.clone()).await;
        worker.assign(&updates(&[task("t1")])).await.unwrap();
        sleep(secs(5)).await;
        let states: Vec<TaskState> = heard.0.lock().unwrap().iter().map(|(_, state)| *state).collect();
        use TaskState::{Accepted, Preparing, Ready};
        // The last one from the step that finds nothing to do.
        assert_eq!(states, [Accepted, Accepted, Preparing, Ready, Ready]);
        drop(listening);
        worker.update(&updates(&[task("t2")])).await.unwrap();
        sleep(secs(5)).await;
        assert_eq!(heard.0.lock().unwrap().len(), 5, "who has stopped listening hears nothing more");
    });
}

/// Asks the worker, while it is told something, what that has.
struct Asking {
    worker: Worker,
    recorded: Mutex<Vec<TaskId>>,
}

impl StatusReporter for Asking {
    fn report<'a>(&'a self, _task: &'a TaskId, _status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        Box::pin(async {
            let recorded = self.worker.recorded().await;
            *self.recorded.lock().unwrap() = recorded;
        })
    }
}

#[test]
fn who_listens_may_ask_for_what_is_recorded() {
    simulate(|| async {
        let (worker, _) = Machine::new().start().await;
        let asking = Arc::new(Asking { worker: worker.clone(), recorded: Mutex::default() });
        let _listening = worker.listen(asking.clone()).await;
        worker.assign(&updates(&[task("t1"), task("t2")])).await.unwrap();
        worker.report(&*asking).await;
        sleep(secs(5)).await;
        assert_eq!(*asking.recorded.lock().unwrap(), ids(&["t1", "t2"]));
    });
}

/// Publishes into a list.
struct Lines(Arc<Mutex<Vec<LogMessage>>>);

impl LogPublisherProvider for Lines {
    fn publisher(&self, _subscription: &str) -> BoxFuture<'_, Result<Subscribed, TaskError>> {
        let lines = self.0.clone();
        let publish = move |message| {
            lines.lock().unwrap().push(message);
            Ok(())
        };
        let publisher: Arc<dyn LogPublisher> = Arc::new(LogPublisherFn(publish));
        Box::pin(async { Ok(Subscribed { publisher, cancel: CancellationToken::new() }) })
    }
}

#[test]
fn who_follows_logs_gets_those_of_tasks_that_start_later() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    simulate(move || async move {
        let (worker, _) = Machine::new().start().await;
        let cancel = CancellationToken::new();
        let tasks = ["t1".into(), "t2".into()].into();
        let subscription =
            Subscription { id: "logs".to_owned(), tasks, options: LogOptions { follow: true } };
        let provider = Lines(seen);
        let running = |id| Item::Task(Box::new(Task::new(id, "server").desiring(DesiredState::RUNNING)));
        let (done, ()) = fatum::join!(worker.subscribe(&cancel, &subscription, &provider), async {
            for id in ["t1", "t2", "other"] {
                worker.update(&updates(&[running(id)])).await.unwrap();
                sleep(secs(5)).await;
            }
            cancel.cancel();
        });
        done.unwrap();
        worker.close().await;
    });
    let lines: Vec<(String, String)> =
        lines.lock().unwrap().iter().map(|line| (line.task.to_string(), line.line.clone())).collect();
    let expected = [("t1", "started"), ("t2", "started")].map(|(id, line)| (id.to_owned(), line.to_owned()));
    assert_eq!(lines, expected);
}

/// More than a subscriber may fall behind.
const MANY: usize = 300;

#[test]
fn who_follows_logs_and_falls_behind_misses_nobody_and_meets_nobody_twice() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    simulate(move || async move {
        let (worker, _) = Machine::new().start().await;
        let cancel = CancellationToken::new();
        let tasks: BTreeSet<TaskId> = (0..MANY).map(|number| format!("t{number}").into()).collect();
        let started: Vec<Item> =
            tasks.iter().map(|id| Item::Task(Box::new(Task::new(id.as_str(), "server")))).collect();
        let options = LogOptions { follow: true };
        let subscription = Subscription { id: "logs".to_owned(), tasks, options };
        let provider = Lines(seen);
        let (done, ()) = fatum::join!(worker.subscribe(&cancel, &subscription, &provider), async {
            worker.assign(&updates(&started)).await.unwrap();
            sleep(secs(5)).await;
            cancel.cancel();
        });
        done.unwrap();
        worker.close().await;
    });
    let lines = lines.lock().unwrap();
    let tasks: BTreeSet<&TaskId> = lines.iter().map(|line| &line.task).collect();
    assert_eq!((tasks.len(), lines.len()), (MANY, MANY));
}

#[test]
fn a_storage_is_asked_through_its_trait() {
    simulate(|| async {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        storage.write("a", "one").await.unwrap();
        assert_eq!(storage.read("a").await.unwrap().as_deref(), Some("one"));
        storage.remove("a").await.unwrap();
        assert_eq!(storage.read("a").await.unwrap(), None);
    });
}
