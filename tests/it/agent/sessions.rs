//! The agent and its sessions: starting and stopping, back-off, reconnecting, what is passed on of the node, and leaving
//! (1.11).

use super::{ms, secs, simulate};
use fatum::store::Store;
use fatum::systems::agent::assignment::{Assignments, DispatchError, Extent, Message};
use fatum::systems::agent::dispatcher::Manager;
use fatum::systems::agent::executor::EncryptionKey;
use fatum::systems::agent::service::next_backoff;
use fatum::systems::agent::{
    Agent, AgentConfig, AgentError, BoxFuture, ContainerExecutor, DesiredState, Dispatcher, MemoryStorage,
    Node, NodeDescription, Runtime, Session, SessionTracker, TaskId, TaskSpec, TaskState, TaskStatus,
};
use fatum::time::{Duration, Instant, sleep};
use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn the_back_off_grows_from_a_tenth_of_a_second_to_eight_seconds() {
    let grown = std::iter::successors(Some(Duration::ZERO), |previous| Some(next_backoff(*previous)));
    let millis: Vec<u128> = grown.map(|backoff| backoff.as_millis()).take(9).collect();
    assert_eq!(millis, [0, 100, 300, 700, 1500, 3100, 6300, 8000, 8000]);
}

#[test]
fn a_description_without_a_list_is_one_with_an_empty_list() {
    let with = |plugins: Option<&[&str]>| NodeDescription {
        hostname: "n".to_owned(),
        plugins: plugins.map(|plugins| plugins.iter().map(|name| (*name).to_owned()).collect()),
    };
    assert!(with(None).is_same(&with(Some(&[]))));
    assert!(with(Some(&["a"])).is_same(&with(Some(&["a"]))));
    assert!(!with(Some(&["a"])).is_same(&with(None)));
}

/// How a manager answers a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Fine,
    NotFound,
    Lost,
    Never,
}

/// What is answered to a status, by the time and the session.
type Answers = Box<dyn Fn(Duration, u64) -> Answer + Send + Sync>;

/// What each session says, one after the other; when there is nothing left it is silent, or ends.
pub(super) struct Scripted {
    sessions: Mutex<VecDeque<Vec<Message>>>,
    /// How many sessions are refused first.
    refused: u64,
    answers: Answers,
    opened: AtomicU64,
    opened_at: Mutex<Vec<Duration>>,
    statuses: Mutex<Vec<(u64, TaskState)>>,
}

impl Scripted {
    pub(super) fn new(sessions: impl IntoIterator<Item = Vec<Message>>) -> Arc<Scripted> {
        Scripted::answering(sessions, 0, |_, _| Answer::Fine)
    }

    pub(super) fn answering(
        sessions: impl IntoIterator<Item = Vec<Message>>,
        refused: u64,
        answers: impl Fn(Duration, u64) -> Answer + Send + Sync + 'static,
    ) -> Arc<Scripted> {
        Arc::new(Scripted {
            sessions: Mutex::new(sessions.into_iter().collect()),
            refused,
            answers: Box::new(answers),
            opened: AtomicU64::new(0),
            opened_at: Mutex::default(),
            statuses: Mutex::default(),
        })
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// When sessions were asked for.
    pub(super) fn opened_at(&self) -> Vec<Duration> {
        self.opened_at.lock().unwrap().clone()
    }

    /// The statuses that arrived, with their sessions.
    pub(super) fn statuses(&self) -> Vec<(u64, TaskState)> {
        self.statuses.lock().unwrap().clone()
    }
}

struct Saying {
    id: u64,
    messages: VecDeque<Message>,
    ends: bool,
}

impl Dispatcher for Scripted {
    fn open<'a>(
        &'a self,
        _node: &'a str,
        _description: &'a NodeDescription,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DispatchError>> {
        let id = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        self.opened_at.lock().unwrap().push(Instant::now().since_start());
        if id <= self.refused {
            return Box::pin(async { Err(DispatchError::Unavailable("refused".into())) });
        }
        let mut sessions = self.sessions.lock().unwrap();
        let messages = sessions.pop_front().unwrap_or_default().into();
        let ends = !sessions.is_empty();
        Box::pin(async move { Ok(Box::new(Saying { id, messages, ends }) as Box<dyn Session>) })
    }

    fn update_status<'a>(
        &'a self,
        _node: &'a str,
        session: u64,
        task: &'a TaskId,
        status: &'a TaskStatus,
    ) -> BoxFuture<'a, Result<(), DispatchError>> {
        Box::pin(async move {
            self.statuses.lock().unwrap().push((session, status.state));
            match (self.answers)(Instant::now().since_start(), session) {
                Answer::Fine => Ok(()),
                Answer::NotFound => Err(DispatchError::NotFound(task.clone())),
                Answer::Lost => Err(DispatchError::Unavailable("lost".into())),
                Answer::Never => pending().await,
            }
        })
    }
}

impl Session for Saying {
    fn id(&self) -> u64 {
        self.id
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Message, DispatchError>> {
        Box::pin(async move {
            match self.messages.pop_front() {
                Some(message) => Ok(message),
                None if self.ends => Err(DispatchError::SessionInvalid),
                None => pending().await,
            }
        })
    }
}

pub(super) fn agent(dispatcher: Arc<dyn Dispatcher>) -> (AgentConfig, Arc<ContainerExecutor>) {
    let executor = Arc::new(ContainerExecutor::new(Runtime::new("n", Arc::new(BTreeMap::new()))));
    let storage = Arc::new(MemoryStorage::default());
    (AgentConfig::new("n", executor.clone(), storage, dispatcher), executor)
}

#[test]
fn an_agent_is_started_once_and_stopped_after_that() {
    simulate(|| async {
        let agent = Agent::new(agent(Scripted::new([])).0);
        assert_eq!(agent.stop().await, Err(AgentError::NotStarted));
        assert_eq!(agent.start(), Ok(()));
        assert_eq!(agent.start(), Err(AgentError::Started));
        sleep(secs(1)).await;
        assert_eq!(agent.stop().await, Ok(()));
        assert_eq!(agent.stop().await, Ok(()));
        assert_eq!(agent.ended().await, Ok(Ok(())));
    });
}

#[test]
fn a_session_that_ends_is_followed_by_another_one() {
    let dispatcher = Scripted::new([vec![], vec![], vec![]]);
    let seen = dispatcher.clone();
    simulate(move || async move {
        let agent = Agent::new(agent(dispatcher).0);
        agent.start().unwrap();
        sleep(secs(30)).await;
        agent.stop().await.unwrap();
    });
    assert_eq!(seen.opened(), 3);
}

#[test]
fn nodes_and_keys_are_passed_on_when_they_change() {
    let node = |id: &str| Message::Node(Node { id: id.to_owned(), ..Node::default() });
    let keys = |tick| Message::NetworkKeys(vec![EncryptionKey { subsystem: "overlay".to_owned(), tick }]);
    simulate(move || async move {
        let said = vec![node("n"), keys(1), node("n"), keys(1), node("other"), keys(2)];
        let (config, executor) = agent(Scripted::new([said, vec![node("other"), keys(2)]]));
        let agent = Agent::new(config);
        agent.start().unwrap();
        sleep(secs(30)).await;
        agent.stop().await.unwrap();
        let told = executor.told();
        let ids: Vec<&str> = told.nodes.iter().map(|node| &*node.id).collect();
        let ticks: Vec<u64> = told.keys.iter().map(|keys| keys[0].tick).collect();
        assert_eq!((ids, ticks), (vec!["n", "other"], vec![1, 2]));
    });
}

#[test]
fn a_message_that_was_missed_ends_the_session() {
    let message = |extent, applies_to, results_in| {
        Message::Assignments(Assignments { extent, applies_to, results_in, changes: vec![] })
    };
    use Extent::{Complete, Incremental};
    for (second, sessions) in
        [(message(Incremental, 1, 2), 1), (message(Incremental, 2, 3), 2), (message(Complete, 7, 8), 1)]
    {
        let dispatcher = Scripted::new([vec![message(Complete, 0, 1), second]]);
        let seen = dispatcher.clone();
        simulate(move || async move {
            let agent = Agent::new(agent(dispatcher).0);
            agent.start().unwrap();
            sleep(secs(30)).await;
            agent.stop().await.unwrap();
        });
        assert_eq!(seen.opened(), sessions);
    }
}

/// Lets an agent have so many sessions.
struct AtMost(AtomicU64);

impl SessionTracker for AtMost {
    fn session_closed(&self) -> Result<(), String> {
        match self.0.fetch_sub(1, Ordering::Relaxed) {
            1 => Err("enough".to_owned()),
            _ => Ok(()),
        }
    }
}

#[test]
fn whoever_tracks_sessions_may_stop_the_agent() {
    let dispatcher = Scripted::new(std::iter::repeat_n(vec![], 10));
    let seen = dispatcher.clone();
    simulate(move || async move {
        let agent = Agent::new(agent(dispatcher).0.tracked_by(Arc::new(AtMost(AtomicU64::new(3)))));
        agent.start().unwrap();
        assert_eq!(agent.ended().await, Ok(Err("enough".to_owned())));
    });
    assert_eq!(seen.opened(), 3);
}

/// A dispatcher that cannot be reached.
#[derive(Default)]
struct Unreachable(Mutex<Vec<Duration>>);

impl Dispatcher for Unreachable {
    fn open<'a>(
        &'a self,
        _node: &'a str,
        _description: &'a NodeDescription,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DispatchError>> {
        self.0.lock().unwrap().push(Instant::now().since_start());
        Box::pin(pending())
    }

    fn update_status<'a>(
        &'a self,
        _node: &'a str,
        _session: u64,
        _task: &'a TaskId,
        _status: &'a TaskStatus,
    ) -> BoxFuture<'a, Result<(), DispatchError>> {
        Box::pin(pending())
    }
}

#[test]
fn a_call_takes_five_seconds_at_most() {
    let dispatcher = Arc::new(Unreachable::default());
    let seen = dispatcher.clone();
    simulate(move || async move {
        let agent = Agent::new(agent(dispatcher).0);
        agent.start().unwrap();
        sleep(ms(14_900)).await;
        agent.stop().await.unwrap();
    });
    assert_eq!(*seen.0.lock().unwrap(), [secs(0), secs(5), secs(10)]);
}

#[test]
fn an_agent_that_leaves_removes_everything_and_takes_nothing_new() {
    simulate(|| async {
        let manager = Manager::new(Store::new());
        let spec = || TaskSpec { image: "server".to_owned(), ..TaskSpec::default() };
        manager.create("n", &"t1".into(), spec(), DesiredState::RUNNING);
        let (config, _) = agent(Arc::new(manager.clone()));
        let storage = config.storage.clone();
        let agent = Agent::new(config);
        agent.start().unwrap();
        sleep(secs(10)).await;
        assert_eq!(manager.status(&"t1".into()).unwrap().state, TaskState::Running);
        manager.delete(&"t1".into());
        agent.leave().await.unwrap();
        assert!(storage.names("").await.unwrap().is_empty());
        manager.create("n", &"t2".into(), spec(), DesiredState::RUNNING);
        sleep(secs(10)).await;
        assert!(storage.names("").await.unwrap().is_empty());
        agent.stop().await.unwrap();
        assert_eq!(agent.leave().await, Ok(()), "it had left");
    });
}

#[test]
fn the_manager_records_no_lower_state_and_nothing_of_other_nodes() {
    simulate(|| async {
        let manager = Manager::new(Store::new());
        let (task, unknown) = (TaskId::from("t1"), TaskId::from("t2"));
        manager.create("n", &task, TaskSpec::default(), DesiredState::RUNNING);
        let session = manager.open("n", &NodeDescription::default()).await.unwrap().id();
        let other = manager.open("m", &NodeDescription::default()).await.unwrap().id();
        let running = TaskStatus::of(TaskState::Running, "started");
        manager.update_status("n", session, &task, &running).await.unwrap();
        manager.update_status("n", session, &task, &TaskStatus::of(TaskState::Ready, "")).await.unwrap();
        assert_eq!(manager.status(&task).unwrap().state, TaskState::Running);
        let refused = [
            manager.update_status("n", session, &unknown, &running).await.unwrap_err().to_string(),
            manager.update_status("m", other, &task, &running).await.unwrap_err().to_string(),
            manager.update_status("n", session + 9, &task, &running).await.unwrap_err().to_string(),
        ];
        let denied = "permission denied: task t1 is assigned to another node";
        assert_eq!(refused, ["task t2 not found", denied, "session invalid"]);
    });
}
