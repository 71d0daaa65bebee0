//! Driving a Sim: steps, phases, budgets and the verdict at the end.
//!
//! Phases: the fault phase; the quiet phase, from the plan's end or the workload's; and, once the workload is over,
//! the settling, in which time moves only for a liveness property that needs it.

use super::Sim;
use crate::property::Predicate;
use crate::runtime::step::{Stepped, run, settle_hosts, step, wake_due};
use crate::runtime::{End, current};
use std::time::Duration;

/// How far to drive.
pub(super) enum Limit<'a> {
    Steps(u64),
    Time(u64),
    Condition(&'a mut dyn FnMut() -> bool),
    End,
}

impl Sim {
    /// Drives to the limit or the end; whether the steps were taken or the condition was met.
    pub(super) fn drive(&mut self, limit: Limit<'_>) -> bool {
        if self.end.is_some() {
            return false;
        }
        let driven = self.entered(|sim| sim.drive_entered(limit));
        super::refuse_a_spent_budget();
        driven
    }

    /// As [`Sim::drive`], with the world entered and the end still to come.
    pub(super) fn drive_entered(&mut self, mut limit: Limit<'_>) -> bool {
        let over = || current::with(|world| world.required_left == 0);
        if matches!(limit, Limit::End) && self.over_since.is_none() && over() {
            self.workload_over();
        }
        while self.end.is_none() {
            let until = self.time_limit(&limit);
            let stepped = self.step_or_run(until, &limit);
            match stepped {
                Stepped::Turn | Stepped::Time => self.judge_step(),
                Stepped::Attention => self.attend(&limit),
                Stepped::Idle if self.idle(until, &limit) => return false,
                Stepped::Idle => {}
            }
            match &mut limit {
                Limit::Steps(left) if matches!(stepped, Stepped::Turn | Stepped::Time) => {
                    *left -= 1;
                    if *left == 0 {
                        return true;
                    }
                }
                Limit::Condition(condition) => {
                    if condition() {
                        return true;
                    }
                }
                Limit::Steps(_) | Limit::Time(_) | Limit::End => {}
            }
        }
        false
    }

    /// One step; or as many as there are, when nobody looks in between.
    fn step_or_run(&self, until: u64, limit: &Limit<'_>) -> Stepped {
        let unobserved = self.predicates.is_empty() && matches!(limit, Limit::End | Limit::Time(_));
        if unobserved { run(until) } else { step(until) }
    }

    /// How far time may move: to the limit, the end of the phase, or the budget.
    fn time_limit(&self, limit: &Limit<'_>) -> u64 {
        let own = match limit {
            Limit::Time(until) => *until,
            Limit::Steps(_) | Limit::Condition(_) | Limit::End => u64::MAX,
        };
        current::with(|world| {
            let phase = match self.over_since {
                Some(_) if !self.predicates.iter().any(Predicate::needs_time) => world.now,
                Some(since) => since.saturating_add(nanos(world.budget.quiet_max)),
                None if world.quiet => u64::MAX,
                None => world.plan.until.map_or(u64::MAX, nanos),
            };
            own.min(nanos(world.budget.time_max)).min(phase)
        })
    }

    fn judge_step(&mut self) {
        if self.predicates.is_empty() {
            return;
        }
        let (touched, quiet, follows) =
            current::with(|world| (std::mem::take(&mut world.touched), world.quiet, world.follows_coverage));
        let broken = self.predicates.iter_mut().find_map(|predicate| predicate.observe(&touched, quiet));
        if follows {
            self.tell_met();
        }
        if let Some(violation) = broken {
            current::with(|world| world.violate(violation));
        }
    }

    /// A verdict stands, the workload is over, nothing happened for long, or a budget of steps is spent.
    fn attend(&mut self, limit: &Limit<'_>) {
        if current::with(|world| world.has_host_work()) {
            crate::host::tell_news();
            settle_hosts();
        }
        if let Some(end) = current::with(|world| world.verdict.clone()) {
            self.conclude(end);
        } else if let Some(end) = current::with(|world| world.spent()) {
            self.conclude_unless_panicked(end);
        } else if self.over_since.is_none() && current::with(|world| world.required_left == 0) {
            self.workload_over();
        } else if matches!(limit, Limit::End)
            && current::with(|world| !world.quiet && world.waits_for_lost_hosts())
        {
            self.begin_quiet();
        }
    }

    fn workload_over(&mut self) {
        self.over_since = Some(current::with(|world| world.now));
        self.begin_quiet();
    }

    fn begin_quiet(&mut self) {
        current::with(|world| world.begin_quiet());
        wake_due();
        if self.predicates.is_empty() {
            return;
        }
        let broken = self.predicates.iter_mut().find_map(|predicate| predicate.evaluate(true));
        self.tell_met();
        if let Some(violation) = broken {
            current::with(|world| world.violate(violation));
        }
    }

    /// Tells a source that wants to know which `sometimes` were met.
    fn tell_met(&self) {
        current::with(|world| {
            if world.follows_coverage {
                let met = self.predicates.iter().filter(|predicate| predicate.reached() == Some(true));
                met.for_each(|predicate| world.tell_met(predicate.name));
            }
        });
    }

    /// Nothing can happen up to `until`; whether the caller's own limit was reached.
    fn idle(&mut self, until: u64, limit: &Limit<'_>) -> bool {
        if self.over_since.is_some() {
            self.conclude_over();
            return true;
        }
        if current::with(|world| world.is_idle()) {
            return match current::with(|world| world.misses_hosts() && !world.quiet) {
                true => self.idle_without_hosts(limit),
                false => self.idle_for_ever(limit),
            };
        }
        let budget = current::with(|world| {
            world.wait_until(until);
            nanos(world.budget.time_max)
        });
        if matches!(limit, Limit::Time(own) if *own == until) {
            return true;
        }
        if until == budget {
            self.conclude(End::OutOfBudget {
                detail: format!("{:?} of virtual time", Duration::from_nanos(until)),
            });
        } else {
            self.begin_quiet();
        }
        false
    }

    /// Nothing can happen while hosts are down or stand still: by hand time passes, else they return.
    fn idle_without_hosts(&mut self, limit: &Limit<'_>) -> bool {
        match limit {
            Limit::Time(own) => {
                current::with(|world| world.wait_until(*own));
                true
            }
            Limit::Steps(_) | Limit::Condition(_) | Limit::End => {
                self.begin_quiet();
                false
            }
        }
    }

    fn idle_for_ever(&mut self, limit: &Limit<'_>) -> bool {
        let waiting = current::with(|world| world.required_left);
        if waiting > 0 {
            let tasks = if waiting == 1 { "required task waits" } else { "required tasks wait" };
            self.conclude_unless_panicked(End::Deadlock {
                detail: format!("{waiting} {tasks}, and nothing can wake anything any more"),
            });
        } else if let Limit::Time(own) = limit {
            // By hand, time passes even where nothing will ever happen.
            current::with(|world| world.wait_until(*own));
        }
        true
    }

    /// The workload is over and all is settled: judges what can be judged only now.
    fn conclude_over(&mut self) {
        let panic = current::with(|world| world.unjoined_panic());
        let end = panic.or_else(|| self.predicates.iter().find_map(Predicate::verdict));
        let end = end.or_else(|| current::with(|world| world.leak()));
        self.conclude(end.unwrap_or(End::Passed));
    }

    /// A panic that nobody can join any more came before the deadlock, and mostly explains it.
    fn conclude_unless_panicked(&mut self, end: End) {
        let panic = match end {
            End::Deadlock { .. } => current::with(|world| world.unjoined_panic()),
            _ => None,
        };
        self.conclude(panic.unwrap_or(end));
    }

    /// Sets the end. A wake from another thread explains a run that seems to pass, leak or hang.
    fn conclude(&mut self, end: End) {
        let epoch = current::with(|world| world.epoch);
        let escape = current::take_escape(epoch);
        let explains =
            matches!(end, End::Passed | End::Deadlock { .. } | End::OutOfBudget { .. } | End::Leaked { .. });
        self.end = Some(match escape {
            Some(id) if explains => End::Escaped { task: current::with(|world| world.label_of(id)) },
            Some(_) | None => end,
        });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
