//! The stub controller: it counts and times what it is asked, and says so when no test said what it does (1.6).

use super::{secs, simulate};
use fatum::sync::CancellationToken;
use fatum::systems::agent::controller::Op;
use fatum::systems::agent::stub::Call;
use fatum::systems::agent::{Controller, StubController};
use fatum::time::sleep;

#[test]
fn calls_are_counted_before_they_are_answered_and_timed() {
    let stub = StubController::new().answers(Op::Prepare, |before| {
        assert!(before < 2);
        Ok(())
    });
    let log = stub.clone();
    simulate(move || async move {
        let cancel = CancellationToken::new();
        stub.prepare(&cancel).await.unwrap();
        sleep(secs(3)).await;
        stub.prepare(&cancel).await.unwrap();
    });
    let call = |at| Call { op: Op::Prepare, at: secs(at) };
    assert_eq!(log.calls(), [call(0), call(3)]);
    assert_eq!(Op::ALL.map(|op| log.count(op)), [0, 2, 0, 0, 0, 0, 0, 0]);
}

#[test]
#[should_panic(expected = "asked to wait, and no test said what it does then")]
fn what_no_test_said_is_told() {
    let stub = StubController::new();
    let waited = stub.wait(&CancellationToken::new()).as_mut().poll(&mut context());
    panic!("it was answered: {}", waited.is_ready());
}

fn context() -> std::task::Context<'static> {
    std::task::Context::from_waker(std::task::Waker::noop())
}
