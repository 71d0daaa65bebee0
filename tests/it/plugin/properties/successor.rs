//! What only the successor has to hold to: whom failures are counted against, and that what began is finalized.

use super::{
    E, SHOWN, at, attempt, begin, called, changed, deleting, done, end, freed, judge, killed, node, running,
    stored, succeeds, then, told, w,
};
use fatum::systems::plugin::Generation;
use fatum::systems::plugin::error::ErrorKind;
use fatum::systems::plugin::model::{CorePhase, EventPhase, NodePhase, PhaseVersion};
use fatum::systems::plugin::properties::Settings;
use fatum::systems::plugin::record::{Call, NodeView, Returned, RoundOutcome, View};
use fatum::systems::plugin::retry::Limits;
use std::sync::Arc;

/// A failure of the successor in the round over version 4, that of attempt `number`, which the platform was or was not to
/// blame for, after so many of its failures; and what is stored of it.
fn successor_fails(number: u32, before: u32, blame: ErrorKind, stands: NodeView) -> Vec<E> {
    let mut events = running();
    let was =
        NodeView { system_failures: before, ..node(NodePhase::Running, number, Some(CorePhase::Running)) };
    events.push(freed("w-a-0"));
    events.push(stored(View { by_engine: false, ..at(5, was) }));
    let result = Returned::Failed(CorePhase::RetryableFailure, PhaseVersion(0), blame);
    let attempt = attempt("a", number);
    events.extend([
        begin(5),
        E::Called { attempt: attempt.clone(), call: Call::Handle, state: 0, requires_finalizer: false },
        E::Returned { attempt, call: Call::Handle, result },
        told("a", number, EventPhase::Failed),
        called("a", number, Call::Finalize),
        done("a", number, Call::Finalize),
        changed(),
        stored(at(6, stands)),
    ]);
    events
}

#[test]
fn attempts_of_the_successor_are_counted_by_who_is_to_blame() {
    use ErrorKind::{System, User};
    let limits = Limits { attempts_max: 1, system_failures_max: 2, ignores_cause: false };
    let successor = |limits| Settings { generation: Generation::Successor, limits, ..Settings::default() };
    let again = |attempts, system_failures| NodeView {
        system_failures,
        ..node(NodePhase::RetryableFailure, attempts, None)
    };
    let fails = |attempts, system_failures| NodeView {
        system_failures,
        ..node(NodePhase::Failing, attempts, Some(CorePhase::RetryableFailure))
    };
    let bad = Err("attempts-counted".to_owned());
    // (attempt, the platform's failures, who is to blame now, what is stored): two attempts are the user's.
    for (number, before, blame, stands, expected) in [
        (0, 0, User, again(1, 0), Ok(())),
        (0, 0, User, fails(0, 0), bad.clone()),
        (1, 0, User, fails(1, 0), Ok(())),
        (1, 0, User, again(2, 0), bad.clone()),
        (1, 1, User, again(2, 1), Ok(())),
        (2, 1, User, again(3, 1), bad.clone()),
        (0, 0, System, again(1, 1), Ok(())),
        (1, 1, System, again(2, 2), Ok(())),
        (2, 2, System, again(3, 3), bad.clone()),
        (2, 2, System, fails(2, 2), Ok(())),
        (1, 1, System, fails(1, 1), bad.clone()),
        // A failure is counted as what it was.
        (0, 0, System, again(1, 0), bad.clone()),
        (0, 0, User, again(1, 1), bad),
    ] {
        let events = successor_fails(number, before, blame, stands.clone());
        assert_eq!(judge(successor(limits), &events), expected, "{number} {before} {blame} {stands:?}");
    }
    // Where who is to blame is ignored, the platform's failures are used up like the user's.
    let ignoring = successor(Limits { ignores_cause: true, ..limits });
    assert_eq!(
        judge(ignoring, &successor_fails(1, 1, System, again(2, 2))),
        Err("attempts-counted".to_owned())
    );
    // One attempt, asked for, is the default unless it is honoured.
    let one = |node: NodeView| NodeView { min_attempts: Some(1), ..node };
    let events = |stands: NodeView| {
        let mut events = successor_fails(0, 0, User, one(stands));
        for event in &mut events {
            if let E::Stored { view, .. } = event {
                let mut view = (**view).clone();
                view.nodes.values_mut().for_each(|node| node.min_attempts = Some(1));
                *event = stored(view);
            }
        }
        events
    };
    let two = Limits { attempts_max: 2, ..limits };
    assert_eq!(judge(successor(two), &events(again(1, 0))), Ok(()));
    let honours = Settings { honours_one: true, ..successor(two) };
    assert_eq!(judge(honours, &events(again(1, 0))), Err("attempts-counted".to_owned()));
    assert_eq!(judge(honours, &events(fails(0, 0))), Ok(()));
}

#[test]
pub(super) fn finalizations() {
    SHOWN.lock().unwrap().insert("finalized");
    let successor = Settings { generation: Generation::Successor, ..Settings::default() };
    let bad = Err("finalized".to_owned());
    let (abort, failed) = (called("a", 0, Call::Abort), Returned::Error(Arc::from("no")));
    let abort_failed = E::Returned { attempt: attempt("a", 0), call: Call::Abort, result: failed };
    let finalized = || vec![called("a", 0, Call::Finalize), done("a", 0, Call::Finalize)];
    let incomplete = || end(RoundOutcome::AbortFailed(Arc::from("no")));
    let aborted = vec![deleting(5), begin(5), abort, abort_failed];
    // The abort failed: it is finalized all the same.
    let skipped = then(then(running(), aborted.clone()), vec![incomplete()]);
    assert_eq!(judge(successor, &skipped), bad);
    let both = then(then(then(running(), aborted), finalized()), vec![incomplete()]);
    assert_eq!(judge(successor, &both), Ok(()));
    // A success is finalized, and so is what runs or is queued when its workflow goes.
    let mut unfinalized = then(running(), succeeds());
    assert_eq!(judge(successor, &unfinalized), bad);
    assert_eq!(judge(Settings::default(), &unfinalized), Ok(()), "the first generation has no finalizations");
    let place = unfinalized.len() - 2;
    unfinalized.splice(place..place, finalized());
    assert_eq!(judge(successor, &unfinalized), Ok(()));
    let gone = |between: Vec<E>| {
        let begins = vec![deleting(5), begin(5), called("a", 0, Call::Kill), freed("w-a-0"), killed("a", 0)];
        then(then(then(running(), begins), between), vec![changed(), E::Gone { workflow: w() }])
    };
    assert_eq!((judge(successor, &gone(vec![])), judge(successor, &gone(finalized()))), (bad, Ok(())));
}
