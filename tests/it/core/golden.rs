//! What a seed means: the digests of sixteen runs. A change that alters them makes every seed in a report of old say
//! something else; when that is meant, the commit that alters this file says why.

use fatum::check::Check;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::runtime::LeakPolicy;
use fatum::strategy::{Calibration, StrategyKind};
use fatum::sync::{Mutex, mpsc};
use fatum::time::{Duration, sleep, timeout};
use fatum::{Sim, event, rand, task};
use std::sync::Arc;

const MS: Duration = Duration::from_millis(1);

/// Seed, strategy, and the steps and tasks of the calibration.
type Key = (u64, StrategyKind, u64, u64);

const WALK: StrategyKind = StrategyKind::RandomWalk;
const OLDEST: StrategyKind = StrategyKind::OldestFirst;

/// The digests of choices and trace. Oldest-first has others since it asks no site whether it yields.
#[rustfmt::skip]
const GOLDEN: [(Key, u64, u64); 16] = [
    ((0, WALK, 0, 0), 0x1bd17bda5792a4b4, 0x081f3fedab6b4d12),
    ((1, WALK, 0, 0), 0xdcb057032f9dcb07, 0xaf9c6a5adab3097d),
    ((2, WALK, 100, 5), 0x5da921c080e04222, 0x4a36216af6ec4fb0),
    ((3, WALK, 10_000, 500), 0x6e5c4811827ec189, 0x24dc298fe41cd2fd),
    ((u64::MAX, WALK, 0, 0), 0xe36ea77e6b581809, 0x4544c425120d4ff9),
    ((0, OLDEST, 0, 0), 0xb65b55eb284049bc, 0x030cd30e05f738f4),
    ((1, OLDEST, 0, 0), 0x7260129a0425aee5, 0xed981ad0d62d795c),
    ((2, OLDEST, 100, 5), 0xa4dc17270c7b3cb7, 0x16ed0c27adc36221),
    ((1 << 32, WALK, 0, 0), 0x334512884c4271f3, 0xd0b973a1a542b3bc),
    ((1 << 63, OLDEST, 7, 3), 0xd16577d6ffc6709b, 0x61bf50c65d8a423d),
    ((7, StrategyKind::Portfolio, 100, 5), 0x0c27f16dc48942db, 0xd11c2f61897a00bd),
    ((7, StrategyKind::UniformWalk, 100, 5), 0xb0cb9cc2f25c842d, 0xf0b30818d7550b87),
    ((7, StrategyKind::Pct, 100, 5), 0x5a7138317482d6b2, 0x0ada412b4a4daf1c),
    ((7, StrategyKind::Pos, 100, 5), 0xeacdb2aaa9081d0d, 0x88dc7730fc357384),
    ((7, StrategyKind::Surw, 100, 5), 0x8254e81a45fd3b0f, 0x61001a49f8b740ed),
    ((7, StrategyKind::DelayBounded, 100, 5), 0x0c27f16dc48942db, 0xd11c2f61897a00bd),
];

const SWARMS: [[u8; 6]; 4] = [[0, 2, 2, 0, 8, 1], [0, 0, 2, 4, 0, 0], [2, 0, 0, 0, 0, 8], [0, 2, 8, 0, 4, 1]];

/// Something of everything that asks a source: schedule, yields, faults, latencies, draws, buggify, late timers.
fn program(sim: &mut Sim) {
    let total = Arc::new(Mutex::new(0u64));
    for name in ["a", "b"] {
        let total = total.clone();
        sim.host(name).run(move |_| async move {
            let (sender, mut receiver) = mpsc::channel(2);
            for number in 0..5u64 {
                let sender = sender.clone();
                task::spawn_named("worker", async move {
                    sleep(MS * rand::rng().below(9) as u32).await;
                    let failed = failpoint("disk.write").await.is_err();
                    _ = sender.send(number + 100 * u64::from(failed)).await;
                });
            }
            drop(sender);
            let blocking = task::spawn_blocking(|| 7u64);
            while let Ok(Some(number)) = timeout(20 * MS, receiver.recv()).await {
                *total.lock().await += number;
                if fatum::buggify!("skip") {
                    task::yield_now().await;
                }
            }
            event!("total", total = *total.lock().await + blocking.await.unwrap_or(0));
        });
    }
}

fn plan() -> FaultPlan {
    let kinds = [FaultKind::Error, FaultKind::Slow(3 * MS), FaultKind::Hang, FaultKind::Cancel];
    let rules = kinds.into_iter().map(|kind| FaultRule::new("disk.write", kind, 0.1));
    rules
        .chain([FaultRule::stall(0.05), FaultRule::late_timer(0.05)])
        .fold(FaultPlan::none(), FaultPlan::with)
}

#[test]
fn seeds_mean_what_they_meant() {
    let plan = plan().without_swarm();
    let digests = |(seed, strategy, steps, tasks): Key| {
        let check = Check {
            strategy,
            calibration: Calibration { steps, tasks, ..Calibration::default() },
            leaks: LeakPolicy::Allow,
            ..super::sweeps::quiet("golden").faults(plan.clone())
        };
        check.run_seed(seed, program).digests
    };
    let line = |key: Key, choice: u64, trace: u64| format!("{key:?}: {choice:#018x}, {trace:#018x}");
    let found = GOLDEN.map(|(key, _, _)| line(key, digests(key).choice, digests(key).trace));
    let expected = GOLDEN.map(|(key, choice, trace)| line(key, choice, trace));
    assert_eq!(found, expected, "{found:#?}");
}

/// How strong the six rules of the plan are under the first seeds, in quarters: drawn, and so of the same worth as a
/// digest.
#[test]
fn the_swarm_of_a_seed_is_what_it_was() {
    let swarms: Vec<Vec<u8>> = (0..4).map(|seed| fatum::strategy::seed::swarm(seed, &plan())).collect();
    assert_eq!(swarms, SWARMS, "{swarms:?}");
}
