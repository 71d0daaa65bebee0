//! Subscriptions: what is seen once, how they are supervised, and what opens them again.

use std::sync::Arc;

use fatum::systems::controller::{
    Begin, Builder, Context, Controller, ControllerEvent, Request, RunError, SubscriptionError, Supervision,
    Topic, Unhandled,
};
use fatum::time::{Duration, Instant, sleep};

use super::engine::{Log, noting};
use super::feed::{Feed, request};
use super::stage::{Seen, settle, stage, start};
use super::{ms, secs};

const SEEDS: u64 = 20;

fn controller(feed: &Feed, log: &Log) -> Builder {
    Controller::builder(Arc::new(feed.clone()), noting(feed, log)).subscribe(Topic::all("a"))
}

fn broken() -> SubscriptionError {
    SubscriptionError::other("broken pipe")
}

/// The waits, and when the subscription was opened.
fn waits<T>(seen: &Seen<T>) -> (Vec<u64>, Vec<Duration>) {
    let wait = |event: &ControllerEvent| match event {
        ControllerEvent::SubscriptionWaits { delay, .. } => Some(delay.as_secs()),
        _ => None,
    };
    let is_open = |event: &ControllerEvent| matches!(event, ControllerEvent::SubscriptionOpened { .. });
    let events = || seen.events.iter();
    (
        events().filter_map(|(_, event)| wait(event)).collect(),
        events().filter(|(_, event)| is_open(event)).map(|(at, _)| *at).collect(),
    )
}

#[test]
fn a_forced_close_replays_every_entry_at_once() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            feed.put_all("a", &["x", "y"]);
            let running = start(controller(&feed, &log));
            settle().await;
            feed.close(&SubscriptionError::ForceClosed);
            settle().await;
            assert_eq!(Instant::now().since_start(), ms(2));
            running.stop().await.unwrap();
            (log.names(), feed.opened(), feed.open())
        });
        let twice = ["x", "y", "x", "y"].map(str::to_owned).to_vec();
        assert_eq!(names.passed(), (twice, 2, 0), "seed {seed}");
    }
}

#[test]
fn the_waits_after_errors_double_up_to_twenty_seconds() {
    for seed in 0..SEEDS {
        let seen = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            feed.put("a", "x");
            feed.refuse((0..9).map(|_| broken()));
            let running = start(controller(&feed, &log));
            sleep(secs(200)).await;
            running.stop().await.unwrap();
            log.len()
        });
        let expected = vec![1, 1, 2, 4, 8, 16, 20, 20, 20];
        assert_eq!(waits(&seen), (expected, vec![secs(92)]), "seed {seed}");
        assert_eq!(seen.passed(), 1);
    }
}

#[test]
fn failures_are_forgotten_after_ten_minutes_without_one() {
    let seen = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        let running = start(controller(&feed, &log));
        for pause in [1, 10, 10, 500, 700] {
            sleep(secs(pause)).await;
            feed.close(&broken());
        }
        sleep(secs(100)).await;
        running.stop().await.unwrap();
    });
    assert_eq!(waits(&seen).0, [1, 1, 2, 4, 1]);
    seen.passed();
}

#[test]
fn an_event_of_an_unknown_type_restarts_its_subscription_after_a_second() {
    for seed in 0..SEEDS {
        let seen = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            feed.put("a", "x");
            let running = start(controller(&feed, &log));
            settle().await;
            feed.put_unknown("a", "*stream.Odd");
            sleep(secs(2)).await;
            running.stop().await.unwrap();
            log.names()
        });
        let closed = seen.events.iter().find_map(|(_, event)| match event {
            ControllerEvent::SubscriptionClosed { error, .. } => Some(error.to_string()),
            _ => None,
        });
        assert_eq!(closed.as_deref(), Some("unhandled event type: *stream.Odd"));
        assert_eq!(waits(&seen), (vec![1], vec![ms(0), ms(1001)]), "seed {seed}");
        assert_eq!(seen.passed(), ["x", "x"]);
    }
}

#[test]
fn an_event_of_an_unknown_type_is_passed_over_if_asked_for() {
    let names = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        let policy = Supervision { unhandled: Unhandled::Skip, ..Supervision::default() };
        let running = start(controller(&feed, &log).supervision(policy));
        settle().await;
        feed.put_unknown("a", "*stream.Odd");
        feed.put("a", "x");
        settle().await;
        running.stop().await.unwrap();
        (log.names(), feed.opened())
    });
    let skipped = names.events.iter().filter_map(|(_, event)| match event {
        ControllerEvent::SubscriptionSkipped { error, .. } => Some(error.to_string()),
        _ => None,
    });
    assert_eq!(skipped.collect::<Vec<_>>(), ["unhandled event type: *stream.Odd"]);
    assert_eq!(names.passed(), (vec!["x".to_owned()], 1));
}

#[test]
fn what_was_seen_is_passed_over_and_a_fresh_subscription_has_seen_nothing() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::announcing(), Log::default());
            feed.put("a", "x");
            let running = start(controller(&feed, &log));
            settle().await;
            feed.put("a", "y");
            settle().await;
            feed.repeat("a", "x");
            feed.repeat("a", "y");
            settle().await;
            feed.delete("a", "x");
            settle().await;
            assert_eq!(log.names(), ["x", "y", "x"], "an entry that is gone is reconciled too");
            feed.restore("a", &["x", "z"], 1);
            settle().await;
            running.stop().await.unwrap();
            log.names()
        });
        // Nobody was told that `y` is gone: a snapshot says what there is.
        assert_eq!(
            names.value.as_deref(),
            Some(&["x", "y", "x", "x", "z"].map(str::to_owned)[..]),
            "seed {seed}"
        );
        names.passed();
    }
}

#[test]
fn changes_of_one_transaction_are_added_in_their_order() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let running = start(controller(&feed, &log));
            settle().await;
            feed.put_all("a", &["c", "a", "b"]);
            settle().await;
            running.stop().await.unwrap();
            log.names()
        });
        assert_eq!(names.passed(), ["c", "a", "b"], "seed {seed}");
    }
}

#[test]
fn a_floor_slows_down_a_publisher_that_closes_what_it_opens() {
    let seen = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        let policy = Supervision { force_closed_wait: ms(500), ..Supervision::default() };
        feed.refuse((0..4).map(|_| SubscriptionError::ForceClosed));
        let running = start(controller(&feed, &log).supervision(policy));
        sleep(secs(3)).await;
        running.stop().await.unwrap();
    });
    assert_eq!(waits(&seen).1, [secs(2)]);
    seen.passed();
}

#[test]
fn a_subscription_that_is_given_up_ends_the_run_with_its_error() {
    for seed in 0..SEEDS {
        let error = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            let policy = Supervision { failures_max: Some(1), ..Supervision::default() };
            feed.refuse((0..4).map(|_| broken()));
            let builder = controller(&feed, &log).supervision(policy).subscribe(Topic::all("b")).workers(3);
            let error = start(builder).ended().await.unwrap_err();
            assert_eq!(feed.open(), 0, "the other subscription has ended too");
            error
        });
        let error = error.passed();
        assert!(matches!(error, RunError::Subscription { .. }));
        assert!(error.to_string().starts_with("the subscription to "), "{error}");
    }
}

#[test]
fn work_begins_with_the_snapshots_if_asked_for() {
    for seed in 0..SEEDS {
        let names = stage(seed, || async {
            let (feed, log) = (Feed::default(), Log::default());
            feed.put("a", "x");
            feed.refuse([broken()]);
            let builder = controller(&feed, &log).subscribe(Topic::all("b")).begin(Begin::Primed).workers(2);
            let running = start(builder);
            running.handle.enqueue([request("a", "first")]).await;
            sleep(ms(500)).await;
            assert_eq!(log.len(), 0);
            sleep(secs(1)).await;
            running.stop().await.unwrap();
            log.len()
        });
        assert_eq!(names.passed(), 2, "seed {seed}");
    }
}

#[test]
fn a_controller_that_never_gets_a_snapshot_can_be_stopped() {
    let seen = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        feed.refuse((0..50).map(|_| broken()));
        let running = start(controller(&feed, &log).begin(Begin::Primed));
        sleep(secs(5)).await;
        running.stop().await.unwrap();
    });
    seen.passed();
}

#[test]
fn errors_of_subscriptions_have_the_words_of_the_reference() {
    let texts = [
        (
            SubscriptionError::ForceClosed,
            "subscription closed by server, client must reset state and resubscribe",
        ),
        (SubscriptionError::Cancelled, "subscription was closed by unsubscribe"),
        (SubscriptionError::UnknownTopic(Topic::named("a", "x")), "unknown topic a/x"),
        (SubscriptionError::Unhandled("T".to_owned()), "unhandled event type: T"),
        (broken(), "broken pipe"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_topic_with_a_name_covers_that_entry_only() {
    let names = stage(0, || async {
        let (feed, log) = (Feed::default(), Log::default());
        feed.put("a", "x");
        feed.put_unread("a", "y");
        let noted = log.clone();
        let reads = feed.clone();
        let reconciler = move |_: Context, request: Request| {
            super::engine::read(&reads, &request);
            noted.push(request);
            async { Ok(()) }
        };
        let controller = Controller::builder(Arc::new(feed.clone()), reconciler);
        let running = start(controller.subscribe(Topic::named("a", "x")));
        settle().await;
        running.stop().await.unwrap();
        log.names()
    });
    assert_eq!(names.passed(), ["x"]);
}
