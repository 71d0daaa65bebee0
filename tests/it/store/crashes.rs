//! Crashes of clients: between any two writes, before the answer; what was written stays, and the watches go.

use super::{MS, Script, scripted};
use fatum::fault::{FaultKind, FaultRule};
use fatum::runtime::End;
use fatum::store::{StoreError, WatchFrom};
use std::cell::RefCell;
use std::rc::Rc;

/// What each incarnation of a host saw of a counter, before it wrote the next number.
fn seen(rules: &[FaultRule], script: Script, monotonic: bool) -> (Vec<(u32, u64)>, u64) {
    let mut sim = scripted(rules, script);
    let store = sim.store();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = seen.clone();
    sim.host("a").serve(move |host| {
        let (noted, store) = (noted.clone(), host.store());
        async move {
            let client = if monotonic { store.monotonic() } else { store };
            let _watch = client.watch("n", WatchFrom::Index(0)).await?;
            loop {
                let n = client.get(("n", "x")).await?.unwrap_or(0);
                noted.borrow_mut().push((host.incarnation(), n));
                if n == 3 {
                    return Ok::<(), StoreError>(());
                }
                client.put(("n", "x"), n + 1).await?;
                fatum::time::sleep(MS).await;
            }
        }
    });
    let run = sim.finish();
    assert_eq!(run.end, End::Passed, "{:?}", run.blocked);
    assert_eq!(store.watches(), 0, "a crash drops the watches of its host");
    let written = store.peek(("n", "x")).unwrap();
    (seen.borrow().clone(), written)
}

#[test]
fn a_write_took_effect_when_the_host_crashes_after_it() {
    for writes in 0..3 {
        let mut crash = vec![0; writes];
        crash.push(1);
        let script = Script::default().at("host.crash-after", &crash);
        let (seen, written) = seen(&[FaultRule::own(FaultKind::Crash(8 * MS), 0.1)], script, false);
        let expected = (0..=3).map(|n| (if n as usize <= writes { 1 } else { 2 }, n));
        assert_eq!((seen, written), (expected.collect(), 3), "a crash after write {}", writes + 1);
    }
}

#[test]
fn after_a_restart_a_client_may_see_an_older_state_unless_it_is_monotonic() {
    let rules = [FaultRule::own(FaultKind::Crash(8 * MS), 0.1), FaultRule::own(FaultKind::Stale, 0.1)];
    let script = || Script::default().at("host.crash-after", &[0, 1]).at("store.stale", &[0, 0, 4]);
    let (travelled, _) = seen(&rules, script(), false);
    assert_eq!(travelled[..3], [(1, 0), (1, 1), (2, 0)], "{travelled:?}");
    let (monotonic, _) = seen(&rules, script(), true);
    assert_eq!(monotonic[..3], [(1, 0), (1, 1), (2, 1)], "{monotonic:?}");
}
