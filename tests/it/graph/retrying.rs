//! Table 2.10, and what the port promises of retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fatum::sync::CancellationToken;
use fatum::systems::graph::action::{Action, ActionBase, ActionResult, FnAction, SharedAction};
use fatum::systems::graph::retry::{always, at_most, exponential, jittered, never, unless_final};
use fatum::systems::graph::{ActionError, Config, Context, Retry, Stop};
use fatum::time::{Duration, sleep};

use super::{ms, simulate, simulate_seeded};

struct Counts {
    inner: AtomicU32,
    policy: AtomicU32,
}

/// Fails until its `succeeds_at`-th run.
fn inner(counts: &Arc<Counts>, succeeds_at: u32) -> SharedAction<()> {
    let counts = Arc::clone(counts);
    Arc::new(FnAction::emitting(ActionBase::new("inner").emits([super::event("x")]), move |_| {
        let run = counts.inner.fetch_add(1, Ordering::Relaxed) + 1;
        async move { if run < succeeds_at { Err(ActionError::new("not yet")) } else { Ok(()) } }
    }))
}

/// The result, inner runs, policy calls.
async fn retried(succeeds_at: u32, delay: Option<Duration>, stop: Stop) -> (ActionResult, u32, u32) {
    let counts = Arc::new(Counts { inner: AtomicU32::new(0), policy: AtomicU32::new(0) });
    let asked = Arc::clone(&counts);
    let retry = Retry::new(inner(&counts, succeeds_at), move |_, _| {
        asked.policy.fetch_add(1, Ordering::Relaxed);
        delay
    });
    let result = retry.run(Context::detached(Arc::new(()), stop)).await;
    (result, counts.inner.load(Ordering::Relaxed), counts.policy.load(Ordering::Relaxed))
}

/// The rows of the table in a run: the executor's deadline in place of a context's.
#[test]
fn retries_in_a_run_follow_the_table() {
    let rows = [
        (5, None, None, (false, 1, 1, 0)),
        (5, Some(ms(10)), None, (true, 5, 4, 40)),
        (u32::MAX, Some(ms(1_000)), Some(ms(500)), (false, 1, 1, 500)),
    ];
    for (succeeds_at, delay, timeout, expected) in rows {
        let seen = simulate(move || async move {
            let counts = Arc::new(Counts { inner: AtomicU32::new(0), policy: AtomicU32::new(0) });
            let asked = Arc::clone(&counts);
            let retry = Retry::new(inner(&counts, succeeds_at), move |_, _| {
                asked.policy.fetch_add(1, Ordering::Relaxed);
                delay
            });
            let result = super::run(Config { timeout, ..Config::serial() }, vec![Arc::new(retry)]).await;
            (result.is_ok(), counts.inner.load(Ordering::Relaxed), counts.policy.load(Ordering::Relaxed))
        });
        let (is_ok, inner, policy, millis) = expected;
        assert_eq!((seen.value, seen.took), ((is_ok, inner, policy), ms(millis)));
        seen.properties();
    }
}

#[test]
fn an_action_that_is_never_retried_fails_at_once() {
    let seen = simulate(|| async { retried(5, None, Stop::never()).await });
    let (result, inner, policy) = seen.value;
    assert_eq!((result.is_err(), inner, policy), (true, 1, 1));
    assert_eq!(seen.took, ms(0));
}

#[test]
fn an_action_that_is_always_retried_succeeds_in_the_end() {
    let seen = simulate(|| async { retried(5, Some(ms(10)), Stop::never()).await });
    let (result, inner, policy) = seen.value;
    assert_eq!((result.expect("the fifth run succeeds"), inner, policy), (vec![super::event("x")], 5, 4));
    assert_eq!(seen.took, ms(40));
}

#[test]
fn a_deadline_within_the_delay_ends_the_retries() {
    let stop = || Stop::never().after(Some(ms(500)));
    let seen = simulate(move || async move { retried(u32::MAX, Some(Duration::from_secs(1)), stop()).await });
    let (result, inner, policy) = seen.value;
    let error = result.expect_err("it never succeeds");
    assert_eq!((inner, policy, seen.took), (1, 1, ms(500)));
    let ActionError::Retried { last, attempts: 1, cancelled: true } = &error else { panic!("{error:?}") };
    assert_eq!(last.to_string(), "not yet");
    assert_eq!(error.to_string(), "not yet (attempt 1, then cancelled)");
}

#[test]
fn nothing_runs_when_it_is_cancelled_before() {
    let seen = simulate(|| async {
        let token = CancellationToken::new();
        token.cancel();
        retried(5, Some(Duration::ZERO), Stop::on(token)).await
    });
    let (result, inner, policy) = seen.value;
    assert!(matches!(result, Err(ActionError::Cancelled)));
    assert_eq!((inner, policy), (0, 0));
}

/// The reference runs on, for the delay of 0 and the cancel are both due.
#[test]
fn nothing_runs_after_a_cancel_although_the_delay_is_zero() {
    for seed in 0..300 {
        let seen = simulate_seeded(seed, || async {
            let (token, runs) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
            let (cancel, counted) = (token.clone(), Arc::clone(&runs));
            let inner = FnAction::emitting(ActionBase::new("inner"), move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
                cancel.cancel();
                async { Err(ActionError::new("no")) }
            });
            let retry = Retry::new(Arc::new(inner) as SharedAction<()>, always(Duration::ZERO));
            let result = retry.run(Context::detached(Arc::new(()), Stop::on(token))).await;
            (result, runs.load(Ordering::Relaxed))
        });
        let (result, runs) = seen.value;
        assert!(matches!(result, Err(ActionError::Retried { cancelled: true, .. })), "seed {seed}");
        assert_eq!(runs, 1, "seed {seed}");
    }
}

#[test]
fn a_cancel_during_the_delay_is_seen_at_once() {
    let seen = simulate(|| async {
        let token = CancellationToken::new();
        let cancel = token.clone();
        drop(fatum::task::spawn(async move {
            sleep(ms(300)).await;
            cancel.cancel();
        }));
        retried(u32::MAX, Some(Duration::from_secs(1)), Stop::on(token)).await
    });
    assert_eq!((seen.value.1, seen.took), (1, ms(300)));
}

fn delays(policy: impl Fn(&ActionError, u32) -> Option<Duration>, attempts: u32) -> Vec<Option<u64>> {
    let error = ActionError::new("no");
    let millis = |delay: Duration| u64::try_from(delay.as_millis()).expect("it is short");
    (1..=attempts).map(|attempt| policy(&error, attempt).map(millis)).collect()
}

#[test]
fn ready_made_policies() {
    assert_eq!(delays(never, 2), [None, None]);
    assert_eq!(delays(always(ms(7)), 2), [Some(7), Some(7)]);
    let doubling = || exponential(ms(10), ms(65));
    assert_eq!(delays(doubling(), 5), [Some(10), Some(20), Some(40), Some(65), Some(65)]);
    assert_eq!(delays(at_most(3, doubling()), 4), [Some(10), Some(20), None, None]);
    assert_eq!(unless_final(always(ms(1)))(&ActionError::Cancelled, 1), None);
    assert_eq!(
        exponential(ms(10), Duration::MAX)(&ActionError::Aborted, u32::MAX).map(|d| d > ms(10)),
        Some(true)
    );
}

#[test]
fn jitter_adds_no_more_than_it_says() {
    for seed in 0..200 {
        let seen =
            simulate_seeded(seed, || async { jittered(50, always(ms(100)))(&ActionError::Aborted, 1) });
        let delay = seen.value.expect("the policy retries");
        assert!((ms(100)..=ms(150)).contains(&delay), "{delay:?}");
    }
    let seen = simulate(|| async { jittered(50, always(ms(100)))(&ActionError::Aborted, 1) });
    assert_eq!(seen.value, Some(ms(100)), "the baseline has no jitter");
}

#[test]
fn a_retrying_action_keeps_its_name() {
    let counts = Arc::new(Counts { inner: AtomicU32::new(0), policy: AtomicU32::new(0) });
    let retry = Retry::new(inner(&counts, 1), never);
    assert_eq!(&*retry.metadata().name, "inner");
    assert_eq!(retry.describe(), "inner with retry");
    assert_eq!(retry.dry_run(), [super::event("x")]);
}
