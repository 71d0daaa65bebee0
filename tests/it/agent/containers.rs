//! Controllers over the simulated container runtime: what each operation says in each state of a container (1.5), and
//! that pulls and containers outlive whoever asked for them.

use super::{ms, secs, simulate};
use fatum::span::Span;
use fatum::sync::CancellationToken;
use fatum::systems::agent::controller::Outcome;
use fatum::systems::agent::{
    ContainerExecutor, Controller, Dependency, DependencyKind, ErrorKind, Executor, Image, Runtime, Task,
};
use fatum::time::{Duration, Instant, sleep, timeout};
use std::collections::BTreeMap;
use std::sync::Arc;

fn runtime() -> Runtime {
    let server = Image { pull: Span(secs(2)), stop: Span(secs(1)), ..Image::default() };
    let job = |exit| Image { run: Some(Span(secs(3))), exit, ..Image::default() };
    let images = [
        ("server", server.clone()),
        ("sickly", Image { unhealthy: Some(Span(secs(5))), ..server.clone() }),
        ("nowhere", Image { missing: true, ..server }),
        ("job", job(0)),
        ("failing", job(1)),
        ("exotic", Image { unsupported: true, ..Image::default() }),
    ];
    let images = images.map(|(name, image)| (name.to_owned(), image));
    Runtime::new("n", Arc::new(BTreeMap::from(images)))
}

async fn controller(runtime: &Runtime, image: &str) -> Arc<dyn Controller> {
    let executor = ContainerExecutor::new(runtime.clone());
    executor.controller(&Task::new("t", image)).await.unwrap()
}

fn says(outcome: Outcome) -> String {
    outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}

#[test]
fn each_operation_says_what_there_was_to_do() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let controller = controller(&runtime, "server").await;
        assert_eq!(says(controller.start(&cancel).await), "no such container: t");
        for expected in ["ok", "exec: task already prepared"] {
            assert_eq!(says(controller.prepare(&cancel).await), expected);
        }
        for expected in ["ok", "exec: task already started"] {
            assert_eq!(says(controller.start(&cancel).await), expected);
        }
        let before = Instant::now();
        for expected in ["ok", "ok"] {
            assert_eq!(says(controller.shutdown(&cancel).await), expected);
        }
        assert_eq!(before.elapsed(), secs(1));
        assert_eq!(says(controller.start(&cancel).await), "exec: task already started");
        for expected in ["ok", "ok"] {
            assert_eq!(says(controller.remove(&cancel).await), expected);
        }
        assert_eq!(says(controller.shutdown(&cancel).await), "ok");
        assert_eq!(says(controller.terminate(&cancel).await), "ok");
        assert!(runtime.tasks().is_empty());
        assert_eq!(says(controller.close().await), "ok");
    });
}

#[test]
fn after_its_close_a_controller_does_nothing() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let controller = controller(&runtime, "server").await;
        controller.close().await.unwrap();
        let task = Task::new("t", "server");
        for outcome in [
            controller.update(&cancel, &task).await,
            controller.prepare(&cancel).await,
            controller.start(&cancel).await,
            controller.wait(&cancel).await,
            controller.shutdown(&cancel).await,
            controller.terminate(&cancel).await,
            controller.remove(&cancel).await,
            controller.close().await,
        ] {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ControllerClosed);
        }
    });
}

/// How a wait ends, and how long it takes; a second time it takes no time and ends as before.
async fn waited(image: &str) -> (String, Option<i32>, Duration) {
    let (runtime, cancel) = (runtime(), CancellationToken::new());
    let controller = controller(&runtime, image).await;
    controller.prepare(&cancel).await.unwrap();
    controller.start(&cancel).await.unwrap();
    let before = Instant::now();
    let outcome = controller.wait(&cancel).await;
    let took = before.elapsed();
    let code = outcome.as_ref().err().and_then(|error| error.exit_code());
    let said = says(outcome);
    assert_eq!(says(controller.wait(&cancel).await), said);
    assert_eq!(before.elapsed(), took);
    (said, code, took)
}

#[test]
fn a_wait_ends_as_the_process_does() {
    let expected = [
        ("job", "ok", None, secs(3)),
        ("failing", "task: non-zero exit (1)", Some(1), secs(3)),
        ("sickly", "dockerexec: unhealthy container", None, secs(6)),
    ];
    for (image, said, code, took) in expected {
        assert_eq!(simulate(move || waited(image)), (said.to_owned(), code, took), "{image}");
    }
}

#[test]
fn a_container_that_is_taken_away_ends_the_wait() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let first = controller(&runtime, "server").await;
        first.prepare(&cancel).await.unwrap();
        first.start(&cancel).await.unwrap();
        let second = controller(&runtime, "server").await;
        let (waited, removed) = fatum::join!(first.wait(&cancel), second.remove(&cancel));
        assert_eq!(says(removed), "ok");
        assert!(["ok", "dockerexec: container destroyed"].contains(&says(waited).as_str()));
        assert_eq!(says(first.wait(&cancel).await), "dockerexec: container destroyed");
    });
}

#[test]
fn a_pull_goes_on_when_its_caller_does_not_and_the_next_one_joins_it() {
    simulate(|| async {
        let runtime = runtime();
        let cancel = CancellationToken::new();
        let interrupted = controller(&runtime, "server").await;
        let (outcome, ()) = fatum::join!(interrupted.prepare(&cancel), async {
            sleep(ms(500)).await;
            cancel.cancel();
        });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        let before = Instant::now();
        let cancel = CancellationToken::new();
        assert!(timeout(ms(100), interrupted.prepare(&cancel)).await.is_err(), "dropped");
        controller(&runtime, "server").await.prepare(&cancel).await.unwrap();
        assert_eq!(before.elapsed(), ms(1500));
    });
}

#[test]
fn what_cannot_be_had_or_run_is_told() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let missing = controller(&runtime, "nowhere").await;
        let error = missing.prepare(&cancel).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.is_temporary()), ("no such image: nowhere", false));
        let executor = ContainerExecutor::new(runtime);
        let unsupported = executor.controller(&Task::new("t", "exotic")).await.err().unwrap();
        assert_eq!(unsupported.to_string(), "exec: unsupported runtime");
    });
}

#[test]
fn another_image_is_refused_and_another_label_is_not() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let controller = controller(&runtime, "server").await;
        let mut changed = Task::new("t", "server");
        changed.spec.labels.insert("blue".to_owned());
        assert_eq!(says(controller.update(&cancel, &changed).await), "ok");
        let other = Task::new("t", "job");
        assert_eq!(says(controller.update(&cancel, &other).await), "exec: task update rejected");
    });
}

#[test]
fn an_update_after_the_exit_is_ignored_whatever_it_says() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let controller = controller(&runtime, "job").await;
        controller.prepare(&cancel).await.unwrap();
        controller.start(&cancel).await.unwrap();
        let other = Task::new("t", "server");
        assert_eq!(says(controller.update(&cancel, &other).await), "exec: task update rejected");
        sleep(secs(4)).await;
        assert_eq!(says(controller.update(&cancel, &other).await), "ok");
        assert_eq!(says(controller.wait(&cancel).await), "ok");
    });
}

#[test]
fn a_task_sees_the_secrets_that_it_refers_to_now() {
    simulate(|| async {
        let (runtime, cancel) = (runtime(), CancellationToken::new());
        let executor = ContainerExecutor::new(runtime.clone());
        let held = ["old", "new"].map(|id| Dependency {
            kind: DependencyKind::Secret,
            id: id.to_owned(),
            data: String::new(),
        });
        executor.dependencies().unwrap().secrets.add(held);
        let referring = |id: &str| {
            let mut task = Task::new("t", "server");
            task.spec.secrets.insert(id.to_owned());
            task
        };
        let controller = executor.controller(&referring("old")).await.unwrap();
        controller.update(&cancel, &referring("new")).await.unwrap();
        assert_eq!(says(controller.prepare(&cancel).await), "ok");
        controller.remove(&cancel).await.unwrap();
        controller.update(&cancel, &referring("unknown")).await.unwrap();
        assert_eq!(says(controller.prepare(&cancel).await), "secret: secret unknown not found");
    });
}
