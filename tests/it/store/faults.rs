//! Each kind of fault fires where the plan says, and does what it says: nothing was written before the effect, all was
//! written after it, and nothing of the kind happens in the quiet phase.

use super::{MS, Script, planned, run, scripted};
use fatum::Sim;
use fatum::fault::{FaultKind, FaultPlan, FaultRule};
use fatum::runtime::End;
use fatum::store::{StoreError, Transaction, WatchFrom};
use fatum::time::{Duration, timeout};

fn error(site: &str) -> FaultRule {
    FaultRule::new(site, FaultKind::Error, 0.1)
}

#[test]
fn an_error_comes_before_the_effect() {
    let rules = [error("store.write").on("route/*"), error("store.read")];
    let script = Script::default().at("store.write", &[1, 0]).at("store.read", &[1, 0]);
    run(scripted(&rules, script), |client, store| async move {
        client.put("elsewhere", 1).await.unwrap();
        let refused = client.put(("route", "blue"), 1).await.unwrap_err();
        assert!(refused.is_injected(), "{refused}");
        assert_eq!(refused.to_string(), "injected fault at store.write on route/blue");
        assert_eq!((store.index(), store.entry(("route", "blue"))), (1, None));
        client.put(("route", "blue"), 1).await.unwrap();
        assert!(client.get::<u32>(("route", "blue")).await.unwrap_err().is_injected());
        assert_eq!(client.get(("route", "blue")).await, Ok(Some(1)));
    });
}

#[test]
fn a_call_may_be_slow_or_hang_before_its_effect() {
    let rules = [
        FaultRule::new("store.write", FaultKind::Slow(8 * MS), 0.1),
        FaultRule::new("store.write", FaultKind::Hang, 0.1),
    ];
    let script = Script::default().at("store.write", &[7, 2]);
    let (store, time) = run(scripted(&rules, script), |client, store| async move {
        assert!(timeout(7 * MS, client.put("x", 0)).await.is_err());
        assert_eq!(store.index(), 0);
        // Given up, the first call does nothing later.
        fatum::time::sleep(MS).await;
        assert_eq!(timeout(100 * MS, client.put("x", 1)).await.ok(), None);
        client.put("x", 2).await.unwrap();
    });
    assert_eq!((store.index(), time), (1, 108 * MS));
}

#[test]
fn a_lost_answer_comes_after_the_effect() {
    let rules = [FaultRule::own(FaultKind::LostAnswer, 0.1)];
    let script = Script::default().at("store.answer", &[1, 1, 0]);
    run(scripted(&rules, script), |client, store| async move {
        let lost = client.create(("route", "blue"), 1).await.unwrap_err();
        assert_eq!(
            lost.to_string(),
            "no answer to the write of route/blue: it may have taken effect; read again before it is repeated"
        );
        assert!(lost.is_unanswered());
        assert_eq!(store.peek(("route", "blue")), Some(1));
        let pair = Transaction::new().put("x", 1).delete(("route", "blue"));
        assert_eq!(client.transact(pair).await, Err(StoreError::Unanswered { key: "x".into() }));
        assert_eq!((store.index(), store.entry(("route", "blue"))), (2, None));
        // A write that took no effect has its answer: nothing is asked.
        assert!(client.delete("y").await.unwrap_err().is_not_found());
        assert_eq!(client.put("x", 2).await, Ok(3));
    });
}

#[test]
fn a_conflict_meets_writes_that_name_a_version_only() {
    let rules = [FaultRule::own(FaultKind::Conflict, 0.1)];
    let script = Script::default().at("store.conflict", &[1, 0, 1, 1]);
    run(scripted(&rules, script), |client, store| async move {
        client.put("x", 1).await.unwrap();
        client.create("y", 1).await.unwrap();
        client.delete("y").await.unwrap();
        let refused = client.update("x", 1, 2).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "conflict on x: version 1 was expected, and the store says that another write came first: read it \
             again and redo the change"
        );
        assert!(refused.is_conflict());
        assert_eq!((store.index(), store.peek("x")), (3, Some(1)));
        client.update("x", 1, 2).await.unwrap();
        assert!(client.delete_at("x", 4).await.unwrap_err().is_conflict());
        let fenced = Transaction::new().check("x", Some(4)).put("z", 1);
        assert!(client.transact(fenced.clone()).await.unwrap_err().is_conflict());
        assert_eq!(store.index(), 4);
        client.transact(fenced).await.unwrap();
    });
}

#[test]
fn a_watch_may_be_refused_and_may_break() {
    let rules = [error("store.watch").on("route")];
    let script = Script::default().at("store.watch", &[1, 0, 0, 1]);
    let (store, _) = run(scripted(&rules, script), |client, store| async move {
        store.put(("route", "blue"), 1).unwrap();
        assert!(client.watch("route", WatchFrom::Snapshot).await.unwrap_err().is_injected());
        assert_eq!(store.watches(), 0);
        let mut watch = client.watch("route", WatchFrom::Snapshot).await.unwrap();
        watch.next().await.unwrap();
        for _ in 0..2 {
            let broken = watch.next().await.unwrap_err();
            assert_eq!(broken.to_string(), "injected fault at store.watch on route");
        }
        assert_eq!(store.watches(), 1);
    });
    assert_eq!(store.watches(), 0);
}

fn all_rules() -> Vec<FaultRule> {
    let sites = ["store.read", "store.write", "store.watch"];
    let mut rules: Vec<FaultRule> = sites.into_iter().map(error).collect();
    let own = [FaultKind::LostAnswer, FaultKind::Conflict, FaultKind::Stale, FaultKind::Missed];
    rules.extend(own.into_iter().map(|kind| FaultRule::own(kind, 0.2)));
    rules
}

#[test]
fn nothing_fires_in_the_quiet_phase() {
    let rules = all_rules();
    let sites = ["store.read", "store.write", "store.watch", "store.answer", "store.conflict"];
    let mut script = Script::default().at("store.stale", &[4; 20]).at("store.missed", &[2; 20]);
    for site in sites {
        script = script.at(site, &[1; 20]);
    }
    let plan = FaultPlan { until: Some(MS), ..rules.into_iter().fold(FaultPlan::none(), FaultPlan::with) };
    run(planned(plan, script), |client, _| async move {
        assert!(client.put("x", 0).await.unwrap_err().is_injected());
        fatum::time::sleep(2 * MS).await;
        let version = client.put("x", 1).await.unwrap();
        client.update("x", version, 2).await.unwrap();
        assert_eq!(client.get("x").await, Ok(Some(2)));
        let mut watch = client.watch("", WatchFrom::Snapshot).await.unwrap();
        assert_eq!(super::words(&watch.next().await.unwrap()), "2: x=2");
    });
}

/// A client that takes every failure as it comes; under seeds each site fires.
fn stubborn(sim: &mut Sim) {
    for name in ["a", "b"] {
        sim.host(name).run(|host| async move {
            let client = host.store();
            let mut watch = None;
            for round in 0..20u64 {
                if let Ok(Some(entry)) = client.entry("x").await {
                    let _ = client.update("x", entry.version, round).await;
                } else {
                    let _ = client.put("x", round).await;
                }
                if watch.is_none() {
                    watch = client.watch("", WatchFrom::Snapshot).await.ok();
                }
                if let Some(open) = &mut watch
                    && matches!(timeout(Duration::from_secs(1), open.next()).await, Ok(Err(_)))
                {
                    watch = None;
                }
            }
        });
    }
}

#[test]
fn every_site_fires_under_seeds() {
    let mut fired = std::collections::BTreeMap::<&str, u64>::new();
    let plan = all_rules().into_iter().fold(FaultPlan::none(), FaultPlan::with);
    for seed in 0..20 {
        let mut sim = Sim::builder().seed(seed).faults(plan.clone()).build();
        stubborn(&mut sim);
        let run = sim.finish();
        assert_eq!(run.end, End::Passed);
        for stats in run.sites {
            *fired.entry(stats.site).or_default() += stats.fired;
        }
    }
    let sites = ["read", "write", "watch", "answer", "conflict", "stale", "missed", "latency"];
    for site in sites.map(|site| format!("store.{site}")) {
        assert!(fired.get(&*site).is_some_and(|times| *times > 10), "{site}: {fired:?}");
    }
}
