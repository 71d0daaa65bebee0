//! Time in a simulation: tokio's intervals.

use fatum::Sim;
use fatum::time::{Duration, Instant, MissedTickBehavior, interval, sleep};

const MS: Duration = Duration::from_millis(1);

/// When the tick after a late one is due: the period is 100 ms, and the first regular tick is taken so much too late.
fn next_after(late: u32, behavior: MissedTickBehavior) -> u128 {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut sim = Sim::new(1);
    sim.run(async move {
        let mut interval = interval(100 * MS);
        interval.set_missed_tick_behavior(behavior);
        interval.tick().await;
        sleep((100 + late) * MS).await;
        assert_eq!(interval.tick().await.since_start(), 100 * MS);
        interval.tick().await;
        sender.send(Instant::now().since_start().as_millis()).unwrap();
    });
    assert!(sim.finish().end.is_passed());
    receiver.recv().unwrap()
}

#[test]
fn a_tick_more_than_five_milliseconds_late_is_a_missed_one_as_in_tokio() {
    for (late, burst, delay, skip) in [
        (0, 200, 200, 200),
        (5, 200, 200, 200),
        (6, 200, 206, 200),
        (99, 200, 299, 200),
        (150, 250, 350, 300),
    ] {
        assert_eq!(next_after(late, MissedTickBehavior::Burst), burst, "{late}");
        assert_eq!(next_after(late, MissedTickBehavior::Delay), delay, "{late}");
        assert_eq!(next_after(late, MissedTickBehavior::Skip), skip, "{late}");
    }
}
