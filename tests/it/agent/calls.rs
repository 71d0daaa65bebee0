//! What an agent does when calls fail, hang or are refused, of its manager and of its executor: while it serves a
//! session, between sessions, and while it leaves (1.11).

use super::sessions::{Answer, Scripted, agent};
use super::world::simulate_seeded;
use super::{ms, secs, simulate};
use fatum::span::Span;
use fatum::store::Store;
use fatum::systems::agent::assignment::{AssignmentChange, Assignments, Extent, Item, Message};
use fatum::systems::agent::dispatcher::Manager;
use fatum::systems::agent::executor::EncryptionKey;
use fatum::systems::agent::{
    Agent, AgentConfig, AgentError, BoxFuture, ContainerExecutor, Controller, DesiredState, Dispatcher,
    Executor, Image, MemoryStorage, Node, NodeDescription, Runtime, Task, TaskError, TaskId, TaskSpec,
    TaskState, TaskStatus,
};
use fatum::time::{Duration, Instant, sleep, timeout};
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The first message of a session: a server is to run.
fn one_server() -> Vec<Message> {
    let change = AssignmentChange::update(Item::Task(Box::new(Task::new("t1", "server"))));
    let all = Assignments { extent: Extent::Complete, applies_to: 0, results_in: 1, changes: vec![change] };
    vec![Message::Assignments(all)]
}

/// The dispatcher of an agent that has one server, after so long.
fn after(time: Duration, answer: impl Fn(Duration, u64) -> Answer + Send + Sync + 'static) -> Arc<Scripted> {
    let dispatcher = Scripted::answering([one_server()], 0, answer);
    let asked = dispatcher.clone();
    simulate(move || async move {
        let agent = Agent::new(agent(asked).0);
        agent.start().unwrap();
        sleep(time).await;
        agent.stop().await.unwrap();
    });
    dispatcher
}

#[test]
fn a_status_of_a_task_that_the_manager_does_not_know_is_settled() {
    let known = after(secs(30), |_, _| Answer::Fine);
    let unknown = after(secs(30), |_, _| Answer::NotFound);
    assert_eq!((known.opened(), unknown.opened()), (1, 1));
    assert_eq!(unknown.statuses(), known.statuses());
    assert_eq!(known.statuses().last(), Some(&(1, TaskState::Running)));
}

#[test]
fn any_other_error_ends_the_session_and_all_is_told_in_the_next() {
    let dispatcher = after(secs(30), |_, session| if session == 1 { Answer::Lost } else { Answer::Fine });
    assert_eq!(dispatcher.opened(), 2);
    let statuses = dispatcher.statuses();
    assert_eq!(statuses.iter().filter(|(session, _)| *session == 1).count(), 1);
    assert_eq!(statuses.last(), Some(&(2, TaskState::Running)));
}

#[test]
fn a_status_that_is_not_answered_for_five_seconds_ends_the_session() {
    let dispatcher = after(secs(9), |_, session| if session == 1 { Answer::Never } else { Answer::Fine });
    assert_eq!(dispatcher.opened_at(), [secs(0), secs(5)]);
}

/// The times between sessions of agents with many seeds: some are refused first, then each ends at once.
fn gaps(refused: u64, sessions: usize) -> Vec<Vec<Duration>> {
    let gaps_of = |seed| {
        let dispatcher = Scripted::answering(vec![vec![]; sessions], refused, |_, _| Answer::Fine);
        let asked = dispatcher.clone();
        simulate_seeded(seed, move || async move {
            let agent = Agent::new(agent(asked).0);
            agent.start().unwrap();
            sleep(secs(60)).await;
            agent.stop().await.unwrap();
        });
        let opened = dispatcher.opened_at();
        opened.windows(2).map(|two| two[1] - two[0]).collect()
    };
    (1..=40).map(gaps_of).collect()
}

/// Each time is below its bound, and over many seeds they come near it and near nothing.
fn spread(gaps: &[Vec<Duration>], bounds: &[u64]) {
    for (place, bound) in bounds.iter().enumerate() {
        let times: Vec<Duration> = gaps.iter().map(|gaps| gaps[place]).collect();
        let (least, most) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        assert!(most < ms(*bound), "{most:?} of {bound}");
        assert!(least < ms(bound / 10) && most > ms(bound * 8 / 10), "{least:?} to {most:?} of {bound}");
    }
}

#[test]
fn what_is_waited_between_sessions_is_drawn_from_the_whole_back_off() {
    spread(&gaps(0, 3), &[100, 100]);
}

#[test]
fn the_back_off_grows_while_sessions_are_refused_and_begins_anew_after_one() {
    spread(&gaps(4, 3), &[100, 300, 700, 1500, 100, 100]);
}

/// What of an executor hangs, or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    Describe,
    Configure,
    Keys,
    /// After ten seconds the node is called otherwise.
    Renamed,
}

struct OddExecutor(ContainerExecutor, Odd);

impl Executor for OddExecutor {
    fn describe(&self) -> BoxFuture<'_, Result<NodeDescription, TaskError>> {
        let is_new = Instant::now().since_start() >= secs(10);
        let hostname = if self.1 == Odd::Renamed && is_new { "new" } else { "old" }.to_owned();
        match self.1 {
            Odd::Describe => Box::pin(pending()),
            _ => Box::pin(async { Ok(NodeDescription { hostname, plugins: None }) }),
        }
    }

    fn configure<'a>(&'a self, node: &'a Node) -> BoxFuture<'a, Result<(), TaskError>> {
        if self.1 == Odd::Configure { Box::pin(pending()) } else { self.0.configure(node) }
    }

    fn controller<'a>(&'a self, task: &'a Task) -> BoxFuture<'a, Result<Arc<dyn Controller>, TaskError>> {
        self.0.controller(task)
    }

    fn set_network_keys<'a>(&'a self, keys: &'a [EncryptionKey]) -> BoxFuture<'a, Result<(), TaskError>> {
        if self.1 == Odd::Keys { Box::pin(pending()) } else { self.0.set_network_keys(keys) }
    }
}

fn odd(odd: Odd, dispatcher: Arc<dyn Dispatcher>) -> Agent {
    let executor = ContainerExecutor::new(Runtime::new("n", Arc::new(BTreeMap::new())));
    let storage = Arc::new(MemoryStorage::default());
    Agent::new(AgentConfig::new("n", Arc::new(OddExecutor(executor, odd)), storage, dispatcher))
}

#[test]
fn a_node_that_has_changed_is_described_in_another_session_within_twenty_seconds() {
    let dispatcher = Scripted::new([]);
    let asked = dispatcher.clone();
    simulate(move || async move {
        let agent = odd(Odd::Renamed, asked);
        agent.start().unwrap();
        sleep(secs(70)).await;
        agent.stop().await.unwrap();
    });
    assert_eq!(dispatcher.opened_at(), [secs(0), secs(20)]);
}

#[test]
fn an_agent_is_stopped_whatever_its_executor_is_doing() {
    for hanging in [Odd::Describe, Odd::Configure, Odd::Keys] {
        simulate(move || async move {
            let keys = vec![EncryptionKey { subsystem: "overlay".to_owned(), tick: 1 }];
            let said = vec![Message::Node(Node::default()), Message::NetworkKeys(keys)];
            let agent = odd(hanging, Scripted::new([said]));
            agent.start().unwrap();
            sleep(secs(1)).await;
            assert_eq!(timeout(secs(1), agent.stop()).await, Ok(Ok(())), "{hanging:?}");
        });
    }
}

/// An agent with one server that takes a minute to stop.
fn slow_to_stop(dispatcher: Arc<dyn Dispatcher>) -> Arc<Agent> {
    let server = Image { stop: Span(secs(60)), ..Image::default() };
    let images = Arc::new(BTreeMap::from([("server".to_owned(), server)]));
    let executor = Arc::new(ContainerExecutor::new(Runtime::new("n", images)));
    let storage = Arc::new(MemoryStorage::default());
    let agent = Agent::new(AgentConfig::new("n", executor, storage, dispatcher));
    agent.start().unwrap();
    Arc::new(agent)
}

#[test]
fn an_agent_that_leaves_goes_on_to_have_sessions() {
    let answer = |at, session| if session == 1 && at >= secs(10) { Answer::Lost } else { Answer::Fine };
    let dispatcher = Scripted::answering([one_server()], 0, answer);
    let asked = dispatcher.clone();
    simulate(move || async move {
        let agent = slow_to_stop(asked.clone());
        sleep(secs(10)).await;
        let (left, ()) = fatum::join!(agent.leave(), async {
            sleep(secs(1)).await;
            assert_eq!(asked.opened(), 2, "the status of the wait that was interrupted is lost");
        });
        assert_eq!((left, Instant::now().since_start()), (Ok(()), secs(70)));
        agent.stop().await.unwrap();
    });
}

#[test]
fn who_is_stopped_before_it_has_left_has_not_left() {
    simulate(|| async {
        let agent = slow_to_stop(Scripted::new([one_server()]));
        sleep(secs(10)).await;
        let (left, stopped) = fatum::join!(agent.leave(), async {
            sleep(secs(1)).await;
            agent.stop().await
        });
        assert_eq!((left, stopped), (Err(AgentError::Closed), Ok(())));
        assert_eq!(Instant::now().since_start(), secs(11));
        assert_eq!(agent.leave().await, Err(AgentError::Closed));
    });
}

/// Keeps the texts of what is logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Logged {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

#[test]
fn the_manager_records_whatever_is_new_of_a_status_and_says_what_it_does_not() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(logged.clone()));
    simulate(|| async {
        let (manager, task) = (Manager::new(Store::new()), TaskId::from("t1"));
        manager.create("n", &task, TaskSpec::default(), DesiredState::RUNNING);
        let session = manager.open("n", &NodeDescription::default()).await.unwrap().id();
        let first = TaskStatus::of(TaskState::Running, "started");
        let later = TaskStatus { timestamp: Some(7), ..first.clone() };
        let lower = TaskStatus { timestamp: Some(8), ..TaskStatus::of(TaskState::Ready, "prepared") };
        let mut applied = Vec::new();
        for status in [&first, &first, &later, &later, &lower] {
            sleep(secs(1)).await;
            manager.update_status("n", session, &task, status).await.unwrap();
            let recorded = manager.status(&task).unwrap();
            applied.push((recorded.applied_at.unwrap(), recorded.timestamp));
        }
        let second = 1_000_000_000;
        let begun = applied[0].0;
        let expected = [(begun, None), (begun, None), (begun + 2 * second, Some(7))];
        assert_eq!(applied[..3], expected);
        assert_eq!(applied[3..], [expected[2], expected[2]]);
    });
    let lines = logged.0.lock().unwrap();
    assert_eq!(*lines, ["task status invalid transition: t1 is RUNNING, not READY"]);
}
