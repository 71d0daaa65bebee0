//! The first example of the design: a counter, two hosts, and a blind write.

use fatum::Sim;
use fatum::check::Check;
use fatum::choice::tape::Tape;
use fatum::sim::Keep;

fn quiet(name: &str) -> Check {
    Check { failures_dir: None, ..Check::new(name) }
}

fn increments(sim: &mut Sim) {
    let store = sim.store();
    for name in ["a", "b"] {
        sim.host(name).run(|host| async move {
            let n = host.store().get("counter").await?.unwrap_or(0);
            host.store().put("counter", n + 1).await
        });
    }
    sim.eventually("counter == 2", move || store.peek("counter") == Some(2));
}

/// With compare-and-swap, and again after a conflict.
fn careful_increments(sim: &mut Sim) {
    let store = sim.store();
    for name in ["a", "b"] {
        sim.host(name).run(|host| async move {
            let client = host.store();
            loop {
                let written = match client.entry("counter").await? {
                    None => client.create("counter", 1).await,
                    Some(entry) => {
                        let n: u32 = entry.parse().expect("the counter is a number");
                        client.update("counter", entry.version, n + 1).await
                    }
                };
                match written {
                    Err(error) if error.is_conflict() || error.is_already_exists() => {}
                    other => return other,
                }
            }
        });
    }
    sim.eventually("counter == 2", move || store.peek("counter") == Some(2));
}

#[test]
fn a_blind_write_is_fine_at_baseline_and_lost_under_one_deviation() {
    let check = quiet("store: lost update");
    let baseline = check.replay(&Tape::default(), Keep::Trace, increments);
    assert!(baseline.end.is_passed(), "{:?}", baseline.end);

    let report = check.sweep(increments, &|_| {}).unwrap();
    println!("{}", check.render(&report));
    let failure = &report.failures[0];
    assert!(failure.found_at <= 20, "found at run {}", failure.found_at);
    assert_eq!(failure.tape.deviations(), 1, "{:#?}", failure.tape);
    let again = check.replay(&failure.tape, Keep::Trace, increments);
    assert!(again.is_same(&failure.run) && again.matched.unmatched == 0);
}

#[test]
fn compare_and_swap_loses_nothing() {
    let report = quiet("store: careful increments").runs(500).sweep(careful_increments, &|_| {}).unwrap();
    assert!(report.is_passed(), "{:?}", report.failures);
}
