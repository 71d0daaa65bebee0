//! Executors of tasks: bugs of Kafka Streams' state updater and task executor, and one of a scheduled executor, that
//! another tool for schedules found. No faults: the order of steps alone decides.

use super::Shows::{Deadlock, Panicked, Violated};
use super::operator::millis;
use super::{Case, Twin, case};
use fatum::Sim;
use fatum::fault::FaultPlan;
use fatum::sync::{Mutex, Notify, mpsc, oneshot};
use fatum::task::{spawn_local, yield_point, yield_read};
use fatum::time::sleep;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// The programs of this file.
pub const CASES: [Case; 7] = [
    case("kafka_17114", "Kafka Streams, found by Fray", Deadlock, kafka_17114, FaultPlan::none),
    case("kafka_17354", "Kafka Streams, found by Fray", Panicked, kafka_17354, FaultPlan::none),
    case("kafka_17379", "Kafka Streams, found by Fray", Panicked, kafka_17379, FaultPlan::none),
    case("kafka_17402", "Kafka Streams, found by Fray", Violated(ONCE), kafka_17402, FaultPlan::none),
    case("kafka_17929", "Kafka Streams, found by Fray", Panicked, kafka_17929, FaultPlan::none),
    case("kafka_17946", "Kafka Streams, found by Fray", Deadlock, kafka_17946, FaultPlan::none),
    case("jdk_8358601", "ScheduledThreadPoolExecutor, found by Fray", Deadlock, jdk_8358601, FaultPlan::none),
];

const ONCE: &str = "a task is in one place";

/// The updater fails at a task, hands it back, and then says that it no longer runs. Who gets the task looks whether the
/// updater has to be started again.
fn kafka_17114(sim: &mut Sim, twin: Twin) {
    #[derive(Clone, Copy, PartialEq)]
    enum Task {
        Corrupt,
        Revived,
    }
    sim.run(async move {
        let running = Rc::new(Cell::new(false));
        let (restored_by, mut restored) = mpsc::unbounded_channel();
        let (failed_by, mut failed) = mpsc::unbounded_channel();
        let start = || {
            let (input, mut inputs) = mpsc::unbounded_channel();
            let (running, restored_by, failed_by) = (running.clone(), restored_by.clone(), failed_by.clone());
            running.set(true);
            spawn_local(async move {
                while let Some(task) = inputs.recv().await {
                    if task == Task::Revived {
                        _ = restored_by.send(task);
                        continue;
                    }
                    if twin == Twin::Fixed {
                        running.set(false);
                    }
                    _ = failed_by.send(Task::Revived);
                    yield_point("running").await;
                    running.set(false);
                    return;
                }
            });
            input
        };
        let mut input = start();
        _ = input.send(Task::Corrupt);
        let revived = failed.recv().await.expect("a sender is here");
        yield_read("running").await;
        if !running.get() {
            input = start();
        }
        _ = input.send(revived);
        restored.recv().await.expect("a sender is here");
    });
}

/// A thread's state changes under a lock, and the listener is told outside of it: it hears of a state that is over.
fn kafka_17354(sim: &mut Sim, twin: Twin) {
    #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
    enum State {
        Created,
        Starting,
        PendingShutdown,
    }
    async fn set_state(state: Rc<Mutex<State>>, seen: Rc<Cell<State>>, new: State, twin: Twin) {
        let mut held = state.lock().await;
        if *held > new {
            return;
        }
        *held = new;
        seen.set(new);
        let held = (twin == Twin::Fixed).then_some(held);
        yield_read("state").await;
        assert_eq!(seen.get(), new, "the thread is in the state that the listener hears of");
        drop(held);
    }
    let (state, seen) = (Rc::new(Mutex::new(State::Created)), Rc::new(Cell::new(State::Created)));
    for (host, new) in [("thread", State::Starting), ("closer", State::PendingShutdown)] {
        let (state, seen) = (state.clone(), seen.clone());
        sim.host(host).run(move |_| async move {
            // A life before it: who starts has less to do than who closes.
            for _ in 0..if new == State::Starting { 1 } else { 4 } {
                yield_point("config").await;
            }
            set_state(state, seen, new, twin).await;
        });
    }
}

/// Closing looks whether the client has failed, and then changes its state: a change that one that failed must not make.
fn kafka_17379(sim: &mut Sim, twin: Twin) {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum State {
        Running,
        PendingError,
        Error,
        PendingShutdown,
    }
    async fn set_state(state: &Mutex<State>, new: State, twin: Twin) -> bool {
        let mut state = state.lock().await;
        let is_legal = match (*state, new) {
            (State::Running, _) | (State::PendingError, State::Error) => true,
            // It comes too late, and nothing is wrong with that.
            (State::PendingShutdown, _) | (State::PendingError, _) => false,
            (State::Error, State::PendingShutdown) if twin == Twin::Fixed => false,
            (old, new) => panic!("from {old:?} to {new:?}"),
        };
        if is_legal {
            *state = new;
        }
        is_legal
    }
    let state = Rc::new(Mutex::new(State::Running));
    let closed = state.clone();
    sim.host("closer").run(move |_| async move {
        if *closed.lock().await == State::Running {
            set_state(&closed, State::PendingShutdown, twin).await;
        }
    });
    sim.host("thread").run(move |_| async move {
        if set_state(&state, State::PendingError, twin).await {
            set_state(&state, State::Error, twin).await;
        }
    });
}

/// A restored task is added to the output before it is taken from the tasks under way; a count between sees it twice.
fn kafka_17402(sim: &mut Sim, twin: Twin) {
    let updating = Rc::new(Mutex::new(BTreeSet::from([1, 2, 3])));
    let restored = Rc::new(Mutex::new(BTreeSet::new()));
    let (of_updater, to) = (updating.clone(), restored.clone());
    sim.host("updater").run(move |_| async move {
        for task in [1, 2, 3] {
            let mut done = to.lock().await;
            done.insert(task);
            let held = (twin == Twin::Fixed).then_some(done);
            of_updater.lock().await.remove(&task);
            drop(held);
        }
    });
    sim.host("thread").run(move |_| async move {
        for _ in 0..3 {
            let (restored, updating) = (restored.lock().await, updating.lock().await);
            let both: Vec<&u32> = restored.intersection(&updating).collect();
            fatum::property::always(ONCE, both.is_empty(), || format!("{both:?} in two"));
        }
    });
}

/// An executor that was woken takes it that there is a task to take.
fn kafka_17929(sim: &mut Sim, twin: Twin) {
    let tasks = Rc::new(Mutex::new(VecDeque::new()));
    let signal = Rc::new(Notify::new());
    for name in ["executor-1", "executor-2"] {
        let (tasks, signal) = (tasks.clone(), signal.clone());
        sim.host(name).run(move |_| async move {
            loop {
                let told = signal.notified();
                if !tasks.lock().await.is_empty() {
                    break;
                }
                told.await;
                if twin == Twin::Buggy {
                    break;
                }
            }
            let task: Option<u32> = tasks.lock().await.pop_front();
            assert!(task.is_some() || twin == Twin::Fixed, "there is a task to process");
        });
    }
    sim.host("manager").run(move |_| async move {
        for task in [1, 2] {
            tasks.lock().await.push_back(task);
            signal.notify_waiters();
        }
    });
}

/// A task that is paused is for a moment in both sets; if it is resumed then, it is in none.
fn kafka_17946(sim: &mut Sim, twin: Twin) {
    let (updating, paused) =
        (Rc::new(RefCell::new(BTreeSet::from([1]))), Rc::new(RefCell::new(BTreeSet::new())));
    let (sets, lock) = ((updating.clone(), paused.clone()), Rc::new(Mutex::new(())));
    let (guard, told) = (lock.clone(), Rc::new(Notify::new()));
    let tell = told.clone();
    sim.host("updater").run(move |_| async move {
        let held = if twin == Twin::Fixed { Some(guard.lock().await) } else { None };
        sets.1.borrow_mut().insert(1);
        yield_point("paused").await;
        sets.0.borrow_mut().remove(&1);
        drop(held);
        while !sets.0.borrow().contains(&1) {
            tell.notified().await;
        }
    });
    sim.host("thread").run(move |_| async move {
        loop {
            let held = lock.lock().await;
            yield_read("paused").await;
            if paused.borrow_mut().remove(&1) {
                updating.borrow_mut().insert(1);
                told.notify_one();
                return drop(held);
            }
            drop(held);
            sleep(millis(10)).await;
        }
    });
}

/// A task is queued for later, and a thread is made that will run it: unless the executor was shut down in between and
/// has found its queue empty. Then nobody runs the task and nobody says so.
fn jdk_8358601(sim: &mut Sim, twin: Twin) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Running,
        Shutdown,
        Terminated,
    }
    type Queue = Rc<RefCell<VecDeque<oneshot::Sender<()>>>>;
    let (state, queue) = (Rc::new(Cell::new(State::Running)), Queue::default());
    let (of_closer, queued) = (state.clone(), queue.clone());
    sim.run(async move {
        yield_read("state").await;
        if state.get() != State::Running {
            return;
        }
        let (done, future) = oneshot::channel();
        yield_point("queue").await;
        queue.borrow_mut().push_back(done);
        yield_read("state").await;
        if state.get() == State::Terminated {
            if twin == Twin::Fixed {
                queue.borrow_mut().clear();
            }
        } else {
            spawn_local(async move {
                sleep(millis(10)).await;
                let task = queue.borrow_mut().pop_front();
                task.map(|task| task.send(()))
            });
        }
        // Run, or cancelled.
        _ = future.await;
    });
    sim.host("closer").run(move |_| async move {
        yield_point("state").await;
        of_closer.set(State::Shutdown);
        yield_read("queue").await;
        if queued.borrow().is_empty() {
            yield_point("state").await;
            of_closer.set(State::Terminated);
        }
    });
}
