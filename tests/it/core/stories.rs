//! Stories: every deviation is told for what it is, and with its task, site and time, in ten lines.

use super::sweeps::quiet;
use fatum::choice::tape::{Deviation, Tape};
use fatum::choice::{Ask, Names, Ready, Source};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::runtime::LeakPolicy;
use fatum::sim::Keep;
use fatum::time::{Duration, sleep};
use fatum::trace::jsonl;
use fatum::{Run, Sim, rand, task};
use std::any::Any;

const MS: Duration = Duration::from_millis(1);

/// Answers 1 at one site, and is the baseline elsewhere.
struct OneAt(&'static str);

impl Source for OneAt {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        u64::from(ask.label.name() == self.0 && ask.exists(1))
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        ready.oldest()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn told(site: &'static str, program: fn(&mut Sim)) -> (Run, Vec<String>) {
    let run = quiet("told").run_source(Box::new(OneAt(site)), Keep::Trace, program);
    let story = fatum::check::story(&run);
    (run, story)
}

fn everything(sim: &mut Sim) {
    sim.run(async {
        let mut set = task::JoinSet::new();
        for _ in 0..2 {
            set.spawn(async {});
        }
        sleep(MS).await;
        while set.join_next().await.is_some() {}
        task::spawn_blocking(|| ()).await.unwrap();
        let _ = rand::rng_at("size").below(9);
        let _ = fatum::buggify!("small");
        task::yield_point("counter").await;
    });
}

#[test]
fn only_a_scheduling_point_is_told_as_letting_others_run() {
    for (site, expected) in [
        ("task.join_set", "main drew 1 at task.join_set (1st time)"),
        ("task.blocking", "main/blocking drew 1 at task.blocking (1st time)"),
        ("size", "main drew 1 at size (1st time)"),
        ("small", "main drew 1 at small (1st time)"),
        ("counter", "main let others run at counter (1st time, tests/it/core/stories.rs:"),
        ("task.spawn", "main let others run at task.spawn (1st time)"),
    ] {
        let (run, story) = told(site, everything);
        assert!(run.end.is_passed(), "{site}: {:?}", run.end);
        assert!(story[0].contains(expected), "{site}: {story:#?}");
        let yields = expected.contains("let others run");
        let line = format!("\"site\":\"{site}\"");
        let json = jsonl::render(&run.trace);
        let json = json.lines().find(|json| json.contains(&line)).unwrap();
        assert!(json.contains(&format!("\"yields\":{yields}")), "{json}");
        let text = run.trace.to_string();
        assert_eq!(text.contains(&format!("yield {site} ")), yields, "{text}");
    }
}

#[test]
fn equal_deviations_are_told_together_with_their_times() {
    let (_, story) = told("size", |sim| {
        for name in ["a", "b"] {
            sim.host(name).run(|_| async {
                for _ in 0..10 {
                    sleep(MS).await;
                    let _ = rand::rng_at("size").below(9);
                }
            });
        }
    });
    let times: Vec<String> = (1..=10).map(|ms| format!("{ms}ms")).collect();
    for name in ["a", "b"] {
        let expected = format!("{}  {name} drew 1 at size, 10 times", times.join(", "));
        assert!(story.contains(&expected), "{story:#?}");
    }
    assert_eq!(story.len(), 3, "{story:#?}");
}

#[test]
fn many_sorts_of_deviations_are_packed_and_none_is_left_out() {
    let (_, story) = told("size", |sim| {
        for number in 0..25 {
            sim.host(&format!("host-{number}")).run(move |_| async move {
                sleep(number * MS).await;
                let _ = rand::rng_at("size").below(9);
            });
        }
    });
    assert!(story.len() <= 10, "{story:#?}");
    let page = story.join("\n");
    for number in 1..25 {
        let expected = format!("{number}ms  host-{number} drew 1 at size");
        assert!(page.contains(&expected), "{expected}: {page}");
    }
}

#[test]
fn more_than_ten_lines_can_hold_are_counted() {
    let (_, story) = told("size", |sim| {
        for number in 0..500 {
            sim.host(&format!("host-{number}")).run(move |_| async move {
                sleep(number * MS).await;
                let _ = rand::rng_at("size").below(9);
            });
        }
    });
    assert_eq!(story.len(), 10, "{story:#?}");
    let named = story[..8].iter().map(|line| line.matches(" drew 1 at ").count()).sum::<usize>();
    let rest = format!("… and {0} deviations more of {0} sorts, from {1}ms to 499ms", 500 - named, named);
    assert_eq!(story[8], rest);
}

#[test]
fn a_long_name_does_not_push_a_deviation_out_of_its_line() {
    let tape = Tape {
        schedule: Vec::new(),
        choice: vec![Deviation { site: "counter".into(), owner: "a".repeat(150), occurrence: 1, option: 1 }],
    };
    let run = quiet("long").replay(&tape, Keep::Trace, |sim: &mut Sim| {
        for name in ["a", "b"] {
            sim.host(&name.repeat(150)).run(|_| async { task::yield_point("counter").await });
        }
    });
    let story = fatum::check::story(&run);
    let expected = format!("0ns  {} let others run at counter (1st time, ", "a".repeat(150));
    assert!(story[0].starts_with(&expected), "{story:#?}");
}

#[test]
fn a_turn_overtaken_by_many_tasks_names_all_of_them() {
    struct Youngest;
    impl Source for Youngest {
        fn choose(&mut self, _ask: &Ask<'_>) -> u64 {
            0
        }

        fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
            ready.nth_oldest(ready.len() - 1)
        }

        fn into_any(self: Box<Self>) -> Box<dyn Any> {
            self
        }
    }
    let hosts: Vec<String> = (0..9).map(|number| format!("{number}-{}", "x".repeat(40))).collect();
    let names = hosts.clone();
    let run = quiet("many").run_source(Box::new(Youngest), Keep::Trace, move |sim: &mut Sim| {
        for name in &names {
            sim.host(name).run(|_| async {
                fatum::event!("a record", of = "which a line could go on and on");
            });
        }
    });
    let story = fatum::check::story(&run);
    assert!(story.len() <= 10, "{story:#?}");
    let deviations: Vec<&str> =
        story.iter().filter(|line| line.contains("instead of")).map(String::as_str).collect();
    let page = deviations.join("\n");
    for host in &hosts {
        assert!(page.contains(host.as_str()), "{host}: {story:#?}");
    }
}

#[test]
fn a_fault_is_told_with_the_task_that_it_hits() {
    fn program(sim: &mut Sim) {
        sim.host("disk").run(|_| async {
            let worker = task::spawn_named("worker", async { failpoint("disk.write").await });
            drop(worker.await);
            sleep(MS).await;
        });
        sim.host("clock").run(|_| async { sleep(9 * MS).await });
    }
    let rules = [FaultRule::new("disk.write", FaultKind::Error, 0.1), FaultRule::late_timer(0.1)];
    let plan = rules.into_iter().fold(FaultPlan::none(), FaultPlan::with);
    let check = quiet("fault").faults(plan).leaks(LeakPolicy::Allow);
    for (site, expected) in [
        ("disk.write", "0ns  fault: error at disk.write, in disk/worker, 1st time"),
        ("timer.late", "1ms  fault: 1 deadline late at timer.late, in disk, 1st time"),
    ] {
        let run = check.run_source(Box::new(OneAt(site)), Keep::Trace, program);
        let story = fatum::check::story(&run);
        assert_eq!(story[0], expected, "{story:#?}");
    }
}
