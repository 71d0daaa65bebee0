//! Faults: what a plan leaves alone is left alone by every source, a late timer is late for everybody, and what is
//! cancelled is not done.

use fatum::choice::{Ask, Names, Ready, Source, Weights};
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::runtime::End;
use fatum::sync::{Notify, mpsc};
use fatum::time::{Duration, Instant, sleep};
use fatum::{Run, Sim, task};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const MS: Duration = Duration::from_millis(1);

type Hosts = Rc<RefCell<Vec<String>>>;

/// Injects every fault that it is asked for, by the same option, and writes down for which host.
struct Always {
    option: u64,
    hosts: Hosts,
}

impl Source for Always {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        if !matches!(ask.weights, Weights::Fault(_)) {
            return 0;
        }
        self.hosts.borrow_mut().push(ask.host.to_owned());
        if ask.exists(self.option) { self.option } else { 0 }
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        ready.oldest()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A run in which every fault of these rules fires, and the hosts that were asked for.
fn run(rules: &[FaultRule], option: u64, setup: impl FnOnce(&mut Sim)) -> (Run, Vec<String>) {
    let plan = rules.iter().cloned().fold(FaultPlan::none(), FaultPlan::with);
    let hosts = Hosts::default();
    let mut sim =
        Sim::builder().faults(plan).source(Box::new(Always { option, hosts: hosts.clone() })).build();
    setup(&mut sim);
    let run = sim.finish();
    let hosts = hosts.borrow().clone();
    (run, hosts)
}

fn now() -> u128 {
    Instant::now().since_start().as_millis()
}

#[test]
fn a_plan_that_names_a_host_holds_no_other() {
    for rule in [FaultRule::late_timer(0.1).at_host("a"), FaultRule::stall(0.1).at_host("a")] {
        let (run, hosts) = run(&[rule], 1, |sim| {
            for name in ["a", "b"] {
                sim.host(name).run(move |_| async move {
                    for round in 1..=5 {
                        sleep(MS).await;
                        assert_eq!(now() == round, name == "b", "{name} at {round}");
                    }
                });
            }
            sim.host("clock").run(|_| async {
                for _ in 0..20 {
                    sleep(MS).await;
                }
            });
        });
        assert_eq!(run.end, End::Passed);
        assert!(!hosts.is_empty() && hosts.iter().all(|host| host == "a"), "{hosts:?}");
    }
}

#[test]
fn a_plan_that_names_an_object_holds_no_task_and_no_timer() {
    let rules = [FaultRule::late_timer(0.1).on("x"), FaultRule::stall(0.1).on("x")];
    let (run, hosts) = run(&rules, 1, |sim| {
        sim.host("a").run(|_| async { sleep(MS).await });
        sim.host("b").run(|_| async { sleep(2 * MS).await });
    });
    assert_eq!((run.end, run.time, hosts.len()), (End::Passed, 2 * MS, 0));
}

#[test]
fn a_late_timer_stays_late_when_its_task_is_woken_meanwhile() {
    let (run, _) = run(&[FaultRule::late_timer(0.1).at_host("a")], 1, |sim| {
        let (sender, mut receiver) = mpsc::unbounded_channel::<u32>();
        sim.host("a").run(|_| async move {
            let mut sleep = Box::pin(sleep(10 * MS));
            let mut heard = Vec::new();
            loop {
                fatum::select! {
                    biased;
                    () = &mut sleep => break,
                    Some(number) = receiver.recv() => {
                        assert!(!sleep.is_elapsed(), "at {}", now());
                        heard.push((now(), number));
                    }
                }
            }
            assert_eq!((now(), heard), (20, vec![(10, 1), (20, 2)][..1].to_vec()));
        });
        sim.host("b").run(|_| async move {
            sleep(10 * MS).await;
            sender.send(1).unwrap();
            sleep(10 * MS).await;
        });
    });
    assert_eq!(run.end, End::Passed);
}

#[test]
fn a_late_timer_that_is_cancelled_wakes_nobody_and_is_no_leak() {
    let notify = Arc::new(Notify::new());
    let (run, _) = run(&[FaultRule::late_timer(0.1).at_host("a")], 4, |sim| {
        let notified = notify.clone();
        sim.host("a").run(|_| async move {
            let mut sleep = Box::pin(sleep(10 * MS));
            fatum::select! {
                biased;
                () = &mut sleep => panic!("it is late"),
                () = notified.notified() => {}
            }
            drop(sleep);
            let turns = Rc::new(std::cell::Cell::new(0));
            let counted = turns.clone();
            let mut clock = Box::pin(async {
                for _ in 0..8 {
                    task::spawn(fatum::time::sleep(MS)).await.unwrap();
                }
            });
            std::future::poll_fn(|context| {
                counted.set(counted.get() + 1);
                clock.as_mut().poll(context)
            })
            .await;
            // Each of the eight sleeps is late itself, and nothing else wakes the task.
            assert_eq!(turns.get(), 9);
        });
        sim.host("b").run(|_| async move {
            sleep(10 * MS).await;
            notify.notify_one();
        });
    });
    assert_eq!(run.end, End::Passed);
}

#[test]
fn a_main_that_a_fault_cancels_has_not_done_its_work() {
    let rule = FaultRule::new("disk.write", FaultKind::Cancel, 0.1);
    let (in_main, _) = run(std::slice::from_ref(&rule), 3, |sim| {
        sim.host("db").run(|_| async { failpoint("disk.write").await });
        sim.host("other").run(|_| async { sleep(MS).await });
    });
    let End::Failed { host, message } = &in_main.end else { panic!("{:?}", in_main.end) };
    assert!(host == "db" && message.contains("cancelled"), "{host}: {message}");
    let (in_a_task, _) = run(&[rule], 3, |sim| {
        sim.host("db").run(|_| async {
            let joined = task::spawn(async { failpoint("disk.write").await }).await;
            assert!(joined.unwrap_err().is_cancelled());
        });
    });
    assert_eq!(in_a_task.end, End::Passed);
    let (in_a_daemon, _) = run(&[FaultRule::new("disk.write", FaultKind::Cancel, 0.1)], 3, |sim| {
        sim.host("db").daemon().run(|_| async { failpoint("disk.write").await });
    });
    assert_eq!(in_a_daemon.end, End::Passed);
}

#[test]
fn two_slow_rules_that_can_meet_are_told_before_a_run_begins() {
    let slow = |by| FaultRule::new("disk.*", FaultKind::Slow(by), 0.1);
    let plan = FaultPlan::none().with(slow(MS)).with(slow(2 * MS).window(MS, 2 * MS));
    let build = || drop(Sim::builder().faults(plan.clone()).build());
    let payload = std::panic::catch_unwind(build).unwrap_err();
    let message = payload.downcast::<String>().unwrap();
    assert!(message.starts_with("the fault rules 1 and 2 are both `slow`"), "{message}");
}
