//! The first example of the design: a counter, two hosts, and a blind write.

use fatum::{Check, Sim};

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
    let baseline = fatum::Sim::builder().tape(&Default::default());
    let mut sim = baseline.build();
    increments(&mut sim);
    assert!(sim.finish().end.is_passed());

    let report = Check::new("store: lost update").runs(100).report(increments);
    let failure = report.failures.first().expect("an increment is lost");
    assert_eq!(failure.property(), Some("counter == 2"));
}

#[test]
fn compare_and_swap_loses_nothing() {
    let report = Check::new("store: careful increments").runs(300).report(careful_increments);
    assert!(report.failures.is_empty(), "{:?}", report.failures);
}
