//! Small programs with a planted bug each, of which the least deviations are known by hand.
//!
//! Each can be run as edited: with unrelated tasks and choices before, between and after its own.

use fatum::check::Check;
use fatum::fault::{FaultKind, FaultPlan, FaultRule, failpoint};
use fatum::time::{Duration, Instant, sleep, sleep_until, timeout};
use fatum::{Sim, event, property, rand, task};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether unrelated code was added to a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    None,
    Unrelated,
    /// Many unrelated tasks with many turns: a random schedule deviates almost everywhere.
    Crowd,
}

/// A program with a bug.
#[derive(Clone, Copy)]
pub(super) struct Planted {
    pub(super) name: &'static str,
    pub(super) program: fn(&mut Sim, Edit),
    pub(super) plan: fn() -> FaultPlan,
    /// How it fails: kind and property.
    pub(super) fails: (&'static str, Option<&'static str>),
    /// The least deviations with which it fails.
    pub(super) deviations: u64,
}

impl Planted {
    pub(super) fn check(&self) -> Check {
        super::sweeps::quiet(self.name).faults((self.plan)())
    }

    pub(super) fn as_is(&self) -> impl Fn(&mut Sim) + Send + Sync + use<> {
        self.edited(Edit::None)
    }

    pub(super) fn edited(&self, edit: Edit) -> impl Fn(&mut Sim) + Send + Sync + use<> {
        let program = self.program;
        move |sim| {
            edit.around(sim, "before");
            program(sim, edit);
            edit.around(sim, "after");
        }
    }
}

impl Edit {
    /// A host that has nothing to do with the program. It sets no timers: a late timer and a stalled task are late by
    /// so many deadlines, so a deadline more does concern them.
    fn around(self, sim: &mut Sim, name: &str) {
        let tasks = match self {
            Edit::None => return,
            Edit::Unrelated => 3,
            Edit::Crowd => 8,
        };
        sim.host(name).run(move |_| async move {
            for _ in 0..tasks {
                task::spawn(async move {
                    let _ = rand::rng().below(7);
                    for _ in 0..tasks {
                        task::yield_point("unrelated").await;
                        task::yield_now().await;
                    }
                });
                task::yield_now().await;
            }
        });
    }

    /// Unrelated choices in the midst of a task, and an unrelated child of it.
    async fn between(self) {
        if self == Edit::None {
            return;
        }
        let _ = rand::rng_at("unrelated").below(3);
        task::yield_read("unrelated").await;
        task::spawn_named("unrelated", async { task::yield_point("unrelated").await });
    }
}

const MS: Duration = Duration::from_millis(1);

fn no_faults() -> FaultPlan {
    FaultPlan::none()
}

fn load(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

fn store(cell: &AtomicU64, value: u64) {
    cell.store(value, Ordering::Relaxed);
}

/// One yield between a read and a write loses an update.
fn lost_update(sim: &mut Sim, edit: Edit) {
    let counter = Arc::new(AtomicU64::new(0));
    for name in ["a", "b"] {
        let counter = counter.clone();
        sim.host(name).run(move |_| async move {
            edit.between().await;
            let seen = load(&counter);
            event!("read", seen = seen);
            task::yield_point("counter").await;
            store(&counter, seen + 1);
            edit.between().await;
        });
    }
    sim.eventually("both count", move || load(&counter) == 2);
}

/// The same among five workers of one spawn site: any two of them will do.
fn lost_update_of_many(sim: &mut Sim, edit: Edit) {
    let counter = Arc::new(AtomicU64::new(0));
    let result = counter.clone();
    sim.run(async move {
        let worker = |_| {
            let counter = counter.clone();
            task::spawn_named("worker", async move {
                sleep(MS).await;
                let seen = load(&counter);
                task::yield_point("counter").await;
                store(&counter, seen + 1);
            })
        };
        let workers: Vec<_> = (0..5).map(worker).collect();
        edit.between().await;
        for worker in workers {
            worker.await.unwrap();
        }
    });
    sim.eventually("all count", move || load(&result) == 5);
}

/// The reader takes for granted that the writer ran first.
fn read_before_write(sim: &mut Sim, edit: Edit) {
    let state = Arc::new(AtomicU64::new(0));
    let written = state.clone();
    sim.host("writer").run(move |_| async move {
        sleep(2 * MS).await;
        edit.between().await;
        store(&written, 1);
    });
    sim.host("reader").run(move |_| async move {
        sleep(2 * MS).await;
        property::always("written before read", load(&state) == 1, String::new);
        edit.between().await;
    });
}

/// The reader must come first twice.
fn read_early_twice(sim: &mut Sim, edit: Edit) {
    let early = Arc::new(AtomicU64::new(0));
    for (round, writer, reader) in [(1, "writer-1", "reader-1"), (2, "writer-2", "reader-2")] {
        let (state, early) = (Arc::new(AtomicU64::new(0)), early.clone());
        let written = state.clone();
        sim.host(writer).run(move |_| async move {
            sleep(round * MS).await;
            edit.between().await;
            store(&written, 1);
        });
        sim.host(reader).run(move |_| async move {
            sleep(round * MS).await;
            let before = early.fetch_add(1 - load(&state), Ordering::Relaxed);
            property::always("at most one early read", before == 0 || load(&state) == 1, String::new);
        });
    }
}

/// An error is told too late to whoever looked at the same instant.
fn fault_and_schedule(sim: &mut Sim, edit: Edit) {
    let failed = Arc::new(AtomicU64::new(0));
    let told = failed.clone();
    sim.host("disk").run(move |_| async move {
        for _ in 0..3 {
            sleep(MS).await;
            edit.between().await;
            if failpoint("disk.write").await.is_err() {
                store(&told, Instant::now().since_start().as_millis() as u64);
            }
        }
    });
    sim.host("client").run(move |_| async move {
        for _ in 0..3 {
            sleep(MS).await;
            let now = Instant::now().since_start().as_millis() as u64;
            let seen = load(&failed);
            edit.between().await;
            task::yield_now().await;
            task::yield_now().await;
            let stale = load(&failed) == now && seen != now;
            property::always("errors are seen in time", !stale, String::new);
        }
    });
}

fn disk_errors() -> FaultPlan {
    FaultPlan::none().with(FaultRule::new("disk.write", FaultKind::Error, 0.2))
}

/// Fails on every error.
fn fault_alone(sim: &mut Sim, edit: Edit) {
    sim.run(async move {
        for _ in 0..5 {
            edit.between().await;
            failpoint("disk.write").await?;
            sleep(MS).await;
        }
        Ok::<(), fatum::fault::Injected>(())
    });
}

/// Fails from a value on.
fn large_draw(sim: &mut Sim, edit: Edit) {
    sim.run(async move {
        edit.between().await;
        let size = rand::rng_at("size").below(1_000);
        let colour = rand::rng_at("colour").below(1_000);
        event!("drawn", size = size, colour = colour);
        property::always("small", size < 300, String::new);
    });
}

/// Fails when the flusher comes last of all.
fn last_of_all(sim: &mut Sim, edit: Edit) {
    let users = Arc::new(AtomicU64::new(0));
    let seen = users.clone();
    sim.host("flusher").run(move |_| async move {
        sleep(MS).await;
        property::always("somebody is left", load(&seen) < 4, String::new);
        edit.between().await;
    });
    for name in ["b", "c", "d", "e"] {
        let users = users.clone();
        sim.host(name).run(move |_| async move {
            sleep(MS).await;
            users.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// A job of nine milliseconds overruns its ten when its timer is late.
fn late_timer(sim: &mut Sim, edit: Edit) {
    sim.run(async move {
        let job = task::spawn_named("job", async move {
            for _ in 0..3 {
                sleep(3 * MS).await;
                edit.between().await;
            }
        });
        property::always("in time", timeout(10 * MS, job).await.is_ok(), String::new);
        // The job outlives its timeout; let it end.
        sleep(10 * MS).await;
    });
}

fn late_timers() -> FaultPlan {
    FaultPlan::none().with(FaultRule::late_timer(0.1))
}

/// A holder that is held up acts on a lease that has run out meanwhile.
fn stalled_holder(sim: &mut Sim, edit: Edit) {
    let expired = Arc::new(AtomicU64::new(0));
    let expires = expired.clone();
    sim.host("holder").run(move |_| async move {
        for _ in 0..3 {
            sleep(2 * MS).await;
            edit.between().await;
        }
        property::always("the lease is good", load(&expired) == 0, String::new);
    });
    sim.host("leases").run(move |_| async move {
        sleep_until(Instant::now() + 7 * MS).await;
        store(&expires, 1);
    });
}

fn stalls() -> FaultPlan {
    FaultPlan::none().with(FaultRule::stall(0.1))
}

/// Takes for granted that tasks leave a set in the order in which they were spawned.
fn set_order(sim: &mut Sim, edit: Edit) {
    sim.run(async move {
        let mut set = task::JoinSet::new();
        for number in 0..4u64 {
            set.spawn(async move {
                sleep(MS).await;
                number
            });
        }
        edit.between().await;
        sleep(2 * MS).await;
        let mut expected = 0;
        while let Some(number) = set.join_next().await {
            property::always("in order", number.unwrap() == expected, String::new);
            expected += 1;
        }
    });
}

/// Blocking work that must not take longer than ten milliseconds.
fn slow_blocking(sim: &mut Sim, edit: Edit) {
    sim.run(async move {
        edit.between().await;
        let work = task::spawn_blocking(|| 7);
        sleep(10 * MS).await;
        property::always("done by now", work.is_finished(), String::new);
        assert_eq!(work.await.unwrap(), 7);
    });
}

/// Sleeps of a drawn length that end in the wrong order.
fn drawn_timers(sim: &mut Sim, edit: Edit) {
    let first = Arc::new(AtomicU64::new(0));
    for (name, most) in [("a", 6u64), ("b", 5)] {
        let first = first.clone();
        sim.host(name).run(move |_| async move {
            edit.between().await;
            let drawn = rand::rng_at("length").below(most);
            sleep(Duration::from_millis(2 * drawn) + if name == "b" { MS } else { Duration::ZERO }).await;
            let is_first = load(&first) == 0;
            store(&first, 1);
            property::always("a is first", is_first == (name == "a"), String::new);
        });
    }
}

macro_rules! planted {
    ($($program:ident, $plan:ident, $kind:literal, $property:expr, $deviations:literal;)*) => {
        [$(Planted {
            name: stringify!($program),
            program: $program,
            plan: $plan,
            fails: ($kind, $property),
            deviations: $deviations,
        }),*]
    };
}

pub(super) const ALL: [Planted; 13] = planted! {
    lost_update, no_faults, "violated", Some("both count"), 1;
    lost_update_of_many, no_faults, "violated", Some("all count"), 1;
    read_before_write, no_faults, "violated", Some("written before read"), 1;
    read_early_twice, no_faults, "violated", Some("at most one early read"), 2;
    fault_and_schedule, disk_errors, "violated", Some("errors are seen in time"), 2;
    fault_alone, disk_errors, "failed", None, 1;
    large_draw, no_faults, "violated", Some("small"), 1;
    last_of_all, no_faults, "violated", Some("somebody is left"), 4;
    late_timer, late_timers, "violated", Some("in time"), 1;
    stalled_holder, stalls, "violated", Some("the lease is good"), 1;
    set_order, no_faults, "violated", Some("in order"), 1;
    slow_blocking, no_faults, "violated", Some("done by now"), 1;
    drawn_timers, no_faults, "violated", Some("a is first"), 1;
};

/// The planted bug of this name.
pub(super) fn planted(name: &str) -> Planted {
    *ALL.iter().find(|planted| planted.name == name).unwrap()
}
