//! `select!`.

use super::{expect, five, ready, run, seen, stuck};
use fatum::sync::{CancellationToken, Notify, mpsc};
use fatum::{Sim, select, task};
use std::collections::BTreeSet;
use std::future::{pending, ready as now};
use std::sync::{Arc, Mutex};

pub(super) fn contention(sim: &mut Sim) {
    let token = CancellationToken::new();
    sim.run(async move {
        let parent = token.clone();
        let workers = task::spawn(async move {
            five(move |who| {
                let token = parent.clone();
                async move {
                    let (sender, mut receiver) = mpsc::channel(1);
                    let mut sent = 0;
                    loop {
                        select! {
                            _ = token.cancelled() => break,
                            Some(value) = receiver.recv() => seen(who, value),
                            permit = sender.reserve(), if sent < 4 => {
                                permit.unwrap().send(sent);
                                sent += 1;
                            }
                        }
                    }
                    seen(who, 100 + sent);
                }
            })
            .await;
        });
        for _ in 0..8 {
            task::yield_now().await;
        }
        token.cancel();
        workers.await.unwrap();
    });
}

#[test]
fn both_branches_win_and_a_seed_repeats() {
    let winner = |seed| {
        let won = Arc::new(Mutex::new(0));
        let mut sim = Sim::new(seed);
        let noted = won.clone();
        sim.run(async move {
            *noted.lock().unwrap() = select! { _ = now(()) => 1, _ = now(()) => 2 };
        });
        let run = sim.finish();
        assert!(run.sites.iter().any(|site| site.site == "select" && site.asked == 1));
        *won.lock().unwrap()
    };
    let winners: Vec<i32> = (0..50).map(winner).collect();
    assert_eq!(winners.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
    assert_eq!(winners, (0..50).map(winner).collect::<Vec<_>>());
}

#[test]
fn biased_and_single_selects_ask_nothing() {
    for seed in 0..20 {
        let run = run(seed, |sim| {
            sim.run(async {
                assert_eq!(select! { biased; _ = now(()) => 1, _ = now(()) => 2 }, 1);
                assert_eq!(select! { value = now(3) => value }, 3);
            });
        });
        assert!(run.end.is_passed());
        assert!(run.sites.iter().all(|site| site.site != "select"));
    }
}

#[test]
fn outside_it_is_tokios() {
    let outcomes: BTreeSet<i32> = (0..200)
        .map(|_| {
            ready(async {
                select! { _ = now(()) => 1, _ = now(()) => 2 }
            })
        })
        .collect();
    assert_eq!(outcomes, BTreeSet::from([1, 2]));
}

#[test]
fn a_branch_each_is_reported() {
    let waits = stuck(|sim| {
        sim.run(async {
            let waiter = task::spawn_named("waiter", async {
                let (notify, token) = (Notify::new(), CancellationToken::new());
                select! {
                    biased;
                    _ = notify.notified() => {}
                    _ = token.cancelled() => {}
                }
            });
            waiter.await.unwrap();
        });
    });
    let created = "(Notify::new(), CancellationToken::new())";
    expect(&waits[0], "sync.notified", "Notify", created, "_ = notify.notified() => {}", &[]);
    expect(&waits[1], "sync.cancelled", "CancellationToken", created, "_ = token.cancelled() => {}", &[]);
}

struct Pair {
    left: u32,
    right: Option<u32>,
}

/// Every form that tokio's macro takes.
async fn forms() -> u32 {
    let mut sum = 0;
    // Blocks, without commas.
    select! {
        _ = now(()) => { sum += 1 }
        _ = pending::<()>() => { sum += 100 }
    }
    // Expressions, without a trailing comma.
    sum += select! { value = now(1) => value, value = pending::<u32>() => value };
    // Expressions, with a trailing comma.
    sum += select! { value = now(1) => value, value = pending::<u32>() => value, };
    // Refutable patterns with `mut`, and `else`.
    sum += select! {
        Some(mut value) = now(Some(0)) => { value += 1; value }
        Ok(mut value) = now(Err::<u32, ()>(())) => { value += 100; value }
        else => 100,
    };
    // `else` when nothing matches.
    sum += select! {
        Some(value) = now(None::<u32>) => value,
        else => 1
    };
    // `else` alone, plain and biased.
    sum += select! { else => 1 };
    sum += select! { biased; else => 1, };
    // Preconditions, on blocks and expressions.
    sum += select! {
        value = now(100), if sum == 0 => value,
        value = now(1), if sum > 0 => { value }
        else => 100,
    };
    // Biased with conditions.
    sum += select! {
        biased;
        value = now(100), if false => value,
        value = now(1) => value,
        _ = pending::<()>() => unreachable!(),
    };
    // Tuples, references, bindings, literals and alternatives.
    sum += select! { (mut left, _) = now((0, 'c')) => { left += 1; left } };
    sum += select! { &value = now(&1) => value };
    sum += select! { all @ 1..=3 = now(1) => all, else => 100 };
    sum += select! { Some(1) | None = now(Some(1)) => 1, else => 100 };
    sum += select! { Pair { left, right: Some(ref right) } = now(Pair { left: 0, right: Some(1) }) => left + *right, else => 100 };
    forms_around_the_macro(sum).await
}

/// Forms in which the code around the macro matters.
async fn forms_around_the_macro(mut sum: u32) -> u32 {
    // A mutable reference to a future.
    let mut kept = std::pin::pin!(async { 1 });
    sum += select! { value = &mut kept => value, _ = pending::<()>() => 100 };
    // Values that live as long as the futures.
    sum += select! { value = &mut Box::pin(now(1)) => value };
    // Control flow out of the handlers.
    loop {
        select! {
            _ = now(()), if sum < 16 => { sum += 1; continue }
            else => break,
        }
    }
    // Many branches.
    sum += select! {
        v = pending() => v, v = pending() => v, v = pending() => v, v = pending() => v, v = pending() => v,
        v = pending() => v, v = pending() => v, v = pending() => v, v = now(1) => v, v = pending() => v,
    };
    // An error that leaves through `?`.
    let failed: Result<u32, &str> = async {
        select! {
            value = now(Err("no")) => Ok(value?),
            _ = pending::<()>() => Ok(100),
        }
    }
    .await;
    assert_eq!(failed, Err("no"));
    sum
}

#[test]
fn every_form_of_tokios_is_taken() {
    let outside = ready(forms());
    super::simulate(move || async move { assert_eq!(forms().await, outside) });
    assert_eq!(outside, 17);
}
