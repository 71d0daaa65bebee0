//! How fast a controller's world runs: the API gateway workload with 1,000 routes, its properties and its oracle included.
//!
//! One run per line; time is the CPU time of the process, which a busy machine does not distort.
//!
//! ```console
//! $ cargo bench --bench controller           # 1,000 routes
//! $ cargo bench --bench controller -- 100    # so many
//! ```

use fatum::scenario::{Controller, Document, Registry, Scenario};
use fatum::systems::controller::workload::Gateway;
use rustix::time::{ClockId, clock_gettime};

const ROUTES: u32 = 1_000;
/// Runs, of which the first warms up.
const RUNS: u64 = 4;

fn main() {
    // A test run builds this binary and starts it without `--bench`: nothing is measured then.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let routes = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUTES);
    let scenario = scenario(routes);
    println!("{routes} routes: seed, steps, virtual s, CPU s, steps/s, virtual s/s");
    for seed in 0..RUNS {
        measure(&scenario, seed);
    }
}

fn measure(scenario: &Scenario, seed: u64) {
    let begin = cpu_seconds();
    let run = scenario.check.run_seed(seed, scenario.program());
    let took = cpu_seconds() - begin;
    assert!(run.end.is_passed(), "seed {seed}: {}", run.end.sentence());
    let (steps, time) = (run.steps as f64, run.time.as_secs_f64());
    println!("{seed:3} {steps:9.0} {time:8.1} {took:7.2} {:9.0} {:9.1}", steps / took, time / took);
}

fn scenario(routes: u32) -> Scenario {
    let text = format!(
        "system = \"gateway\"\ndescription = \"a bench\"\nexpect = \"passed\"\n\n[workload]\nroutes = {routes}\n\
         patience = \"1h\"\n\n[budget]\nquiet = \"1m\"\nzero-time-steps = 10000000\n"
    );
    let registry = Registry::new().with(Controller::<Gateway>::default());
    Scenario::parse(&Document::new("controller.toml", &text), &registry)
        .expect("the text above is a scenario")
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
