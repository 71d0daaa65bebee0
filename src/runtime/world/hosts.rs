//! Hosts: crash, return, pause, clocks, and the faults that bring these about.
//!
//! A crash is cut, then drop: at once no task of the host gets a turn any more and the running one can do nothing; the
//! tasks are dropped when no world is borrowed.

use super::{Held, HostMove, World};
use crate::choice::fault::{SITE_CLOCK, SITE_CRASH, SITE_CRASH_AFTER, SITE_PAUSE};
use crate::choice::{Label, Weights};
use crate::runtime::boxes::{Body, Boxed, taken};
use crate::runtime::end::End;
use crate::runtime::hosts::{Clock, HostChange, Machine, Main, State};
use crate::runtime::tasks::{NewTask, Slot, TaskId, TaskName};
use crate::runtime::timers::Due;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const CRASH: Label = Label::new(SITE_CRASH);
const CRASH_AFTER: Label = Label::new(SITE_CRASH_AFTER);
const PAUSE: Label = Label::new(SITE_PAUSE);
const CLOCK: Label = Label::new(SITE_CLOCK);

impl World {
    /// The number of the host of that name; a new one if there is none.
    pub(crate) fn host(&mut self, name: &str) -> u16 {
        let found = self.hosts.iter().position(|host| *host.name == *name);
        let index = found.unwrap_or_else(|| {
            self.hosts.push(Machine::new(name));
            self.hosts.len() - 1
        });
        u16::try_from(index).expect("a simulation has at most 65,536 hosts")
    }

    /// The number of a host that exists.
    pub(crate) fn find_host(&self, name: &str) -> Option<u16> {
        self.hosts.iter().position(|host| *host.name == *name).map(|index| index as u16)
    }

    pub(crate) fn machine(&mut self, host: u16) -> &mut Machine {
        &mut self.hosts[usize::from(host)]
    }

    /// The host of the running task, or the first one.
    pub(crate) fn running_host(&self) -> u16 {
        self.running.map_or(0, |slot| self.tasks.peek(slot).host)
    }

    /// Whether the running code has no access to the world: operations do nothing.
    #[inline]
    pub(crate) fn is_deaf(&self) -> bool {
        self.closing || self.is_cut || self.frozen.is_some()
    }

    /// Whether the running task is one of a host that crashed.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    // Crash and return.

    /// The host crashes; back at `until`, if that is known.
    pub(crate) fn crash(&mut self, host: u16, until: Option<u64>) {
        match self.machine(host).state {
            State::Up => self.hosts_out += 1,
            State::Paused { .. } => {}
            State::Down { .. } => return,
        }
        self.not_plain();
        self.say(host, HostChange::Crashed);
        let machine = self.machine(host);
        // A deadline at the maximum is none.
        machine.state = State::Down { until: until.filter(|until| *until != u64::MAX) };
        machine.parked.clear();
        let tasks = &self.tasks;
        self.ready.extract(|entry| tasks.peek(entry.slot).host == host);
        self.held
            .retain(|(_, held)| !matches!(held, Held::Task { slot, .. } if tasks.peek(*slot).host == host));
        // A task that counts as queued hears no wake.
        self.tasks.mark_queued(host);
        self.is_cut |= self.running.is_some_and(|slot| self.tasks.peek(slot).host == host);
        self.host_moves.push_back(HostMove::Fall(host));
        self.attention = true;
    }

    /// A host that is down starts again.
    pub(crate) fn restart(&mut self, host: u16) {
        let machine = self.machine(host);
        if !matches!(machine.state, State::Down { .. }) {
            return;
        }
        machine.state = State::Up;
        machine.incarnation += 1;
        self.hosts_out -= 1;
        self.say(host, HostChange::Started);
        self.host_moves.push_back(HostMove::Start(host));
        self.attention = true;
    }

    /// What befell hosts since the last call. Between two turns: nothing is cut off any more.
    pub(crate) fn take_host_news(&mut self) -> Vec<(Arc<str>, HostChange)> {
        self.is_cut = false;
        std::mem::take(&mut self.host_news)
    }

    /// Whether something befell hosts that is to be told or done.
    pub(crate) fn has_host_work(&self) -> bool {
        self.is_cut || !self.host_moves.is_empty() || !self.host_news.is_empty()
    }

    /// What is to be done for a host, with no world borrowed.
    pub(crate) fn next_host_move(&mut self) -> Option<HostStep> {
        self.is_cut = false;
        match self.host_moves.front().copied()? {
            HostMove::Fall(host) => match self.tasks.first_box_of(host) {
                Some((slot, boxed)) => {
                    self.running = Some(slot);
                    self.is_cut = true;
                    Some(HostStep::Drop { slot, boxed })
                }
                None => {
                    self.host_moves.pop_front();
                    self.next_host_move()
                }
            },
            HostMove::Start(host) => {
                self.host_moves.pop_front();
                let machine = self.machine(host);
                let owed = std::mem::take(&mut machine.owed);
                let mut mains = machine.mains.clone();
                if owed == 0 {
                    // What was required of it was done before the crash.
                    mains.iter_mut().for_each(|main| main.daemon = true);
                }
                self.required_left -= owed;
                self.attention |= self.required_left == 0;
                Some(HostStep::Start { host, mains })
            }
        }
    }

    /// A main of a host begins.
    /// One that does not serve is not begun again after a crash.
    ///
    /// # Errors
    /// Its box, when the world is deaf.
    pub(crate) fn begin_main(
        &mut self,
        host: u16,
        boxed: Boxed,
        daemon: bool,
        serves: bool,
    ) -> Result<(), Boxed> {
        let name = TaskName::Type(|| crate::runtime::hosts::MAIN);
        let new = NewTask { host, main: true, name, handle: false, required: !daemon, daemon };
        let mut place = Some(boxed);
        if let Some(id) = self.spawn(new, Body { place: &mut place, boxes: taken::<Boxed> })
            && !daemon
            && !serves
        {
            self.tasks.at(id.slot()).once = true;
            self.machine(host).once += 1;
        }
        place.map_or(Ok(()), Err)
    }

    /// A required main ended; whether a crash ended it and it is begun again, so that its work is still owed.
    pub(super) fn owes(&mut self, slot: u32) -> bool {
        let is_cut = self.is_cut;
        let task = self.tasks.at(slot);
        let (host, once) = (task.host, std::mem::take(&mut task.once));
        let machine = self.machine(host);
        if once {
            machine.once -= 1;
            if is_cut {
                let message =
                    "its host crashed, and a main of `run` does not come again: use `serve`".to_owned();
                let host = machine.name.to_string();
                self.verdict.get_or_insert(End::Failed { host, message });
            }
            return false;
        }
        machine.owed += u32::from(is_cut);
        is_cut
    }

    /// Whether all that the run waits for is owed by hosts, or stands still on hosts, that nothing brings back.
    pub(crate) fn waits_for_lost_hosts(&self) -> bool {
        let is_lost = |host: &Machine| host.state != State::Up && host.until().is_none();
        let owed: u32 = self.hosts.iter().filter(|host| is_lost(host)).map(|host| host.owed).sum();
        let paused = |host: &Machine| matches!(host.state, State::Paused { until: None });
        let stands = |task: &Slot| task.required && paused(&self.hosts[usize::from(task.host)]);
        let still = self.tasks.live().filter(|(_, task)| stands(task)).count();
        self.required_left > 0 && u64::from(self.required_left) == u64::from(owed) + still as u64
    }

    // Pause.

    /// The host stands still; until `until`, if that is known.
    pub(crate) fn pause(&mut self, host: u16, until: Option<u64>) {
        if self.machine(host).state != State::Up {
            return;
        }
        self.say(host, HostChange::Paused);
        let tasks = &self.tasks;
        let waiting = self.ready.extract(|entry| tasks.peek(entry.slot).host == host);
        let machine = self.machine(host);
        machine.state = State::Paused { until: until.filter(|until| *until != u64::MAX) };
        machine.parked = waiting.into_iter().map(|entry| (entry.slot, entry.serial)).collect();
        self.follows_ready = true;
        self.not_plain();
        self.hosts_out += 1;
    }

    /// A host that stands still goes on.
    pub(crate) fn resume(&mut self, host: u16) {
        let machine = self.machine(host);
        if !matches!(machine.state, State::Paused { .. }) {
            return;
        }
        machine.state = State::Up;
        let parked = std::mem::take(&mut machine.parked);
        self.hosts_out -= 1;
        self.say(host, HostChange::Resumed);
        // As if they were woken now: what is ready at one time is put in spawn order before the next turn.
        for (slot, serial) in parked {
            if self.tasks.peek(slot).live && self.tasks.peek(slot).serial == serial {
                self.ready.push(slot, serial);
            }
        }
    }

    /// Keeps a task back whose host stands still; whether it does.
    pub(super) fn park(&mut self, slot: u32, serial: u32) -> bool {
        let host = self.tasks.peek(slot).host;
        let machine = self.machine(host);
        let stands = matches!(machine.state, State::Paused { .. });
        if stands {
            machine.parked.push((slot, serial));
        }
        stands
    }

    /// Takes an ended task out of those that wait for their host.
    pub(super) fn unpark(&mut self, slot: u32) {
        let host = self.tasks.peek(slot).host;
        if let Some(machine) = self.hosts.get_mut(usize::from(host)) {
            machine.parked.retain(|(parked, _)| *parked != slot);
        }
    }

    // Time.

    /// When the next host is up again.
    pub(super) fn next_return(&self) -> Option<u64> {
        self.hosts.iter().filter_map(Machine::until).min()
    }

    /// Brings back the hosts whose time has come.
    pub(super) fn return_hosts(&mut self, now: u64) {
        for host in 0..self.hosts.len() as u16 {
            if self.machine(host).until().is_some_and(|until| until <= now) {
                self.restart(host);
                self.resume(host);
            }
        }
    }

    /// Whether a host is down.
    pub(crate) fn is_down(&self, host: u16) -> bool {
        self.hosts.get(usize::from(host)).is_some_and(|host| matches!(host.state, State::Down { .. }))
    }

    /// Whether any host is down or stands still.
    pub(crate) fn misses_hosts(&self) -> bool {
        self.hosts_out > 0
    }

    /// The quiet phase begins: what is down returns, what stands still goes on, clocks run right.
    pub(super) fn heal_hosts(&mut self) {
        if self.hosts_out == 0 && !self.drifts {
            return;
        }
        for host in 0..self.hosts.len() as u16 {
            self.restart(host);
            self.resume(host);
            if !self.machine(host).clock.is_true() {
                self.set_rate(host, 0);
            }
        }
    }

    /// What the monotonic clock of the running task's host shows.
    #[inline]
    pub(crate) fn local_now(&self) -> u64 {
        self.clock().map_or(self.now, |clock| clock.shows(self.now))
    }

    /// The virtual time at which the running task's host shows `local`.
    #[inline]
    pub(crate) fn global(&self, local: u64) -> u64 {
        self.clock().map_or(local, |clock| clock.reaches(local))
    }

    /// How far the wall clock of the running task's host is ahead.
    pub(crate) fn wall_ahead(&self) -> i64 {
        let host = self.running.map(|slot| usize::from(self.tasks.peek(slot).host));
        host.and_then(|host| self.hosts.get(host)).map_or(0, |host| host.clock.ahead)
    }

    /// The clock of the running task's host, where it may not show virtual time. Who is no task has true time.
    #[inline]
    fn clock(&self) -> Option<&Clock> {
        if !self.drifts {
            return None;
        }
        let host = usize::from(self.tasks.peek(self.running?).host);
        self.hosts.get(host).map(|host| &host.clock)
    }

    /// Whether the clock of any host has ever run at a rate of its own: timers may have to be set anew.
    pub(crate) fn drifts(&self) -> bool {
        self.drifts
    }

    /// The clock of a host runs at another rate: who waits for a timer there has to set it anew.
    fn set_rate(&mut self, host: u16, ppm: i32) {
        let now = self.now;
        self.drifts = true;
        self.machine(host).clock.drift(now, ppm);
        let owners: BTreeSet<TaskId> = self.timers.owners().map(|owner| TaskId::of(owner.task)).collect();
        for id in owners {
            if let Some(task) = self.tasks.get(id).filter(|task| task.host == host) {
                self.wake(task.id);
            }
        }
    }

    /// The wall clock of a host jumps by so many nanoseconds.
    pub(crate) fn jump_clock(&mut self, host: u16, by: i64) {
        let clock = &mut self.machine(host).clock;
        clock.ahead = clock.ahead.saturating_add(by);
        self.say(host, HostChange::ClockJumped);
    }

    /// The clock of a host, and its timers, run this much too fast from now on.
    pub(crate) fn drift_clock(&mut self, host: u16, ppm: i32) {
        self.set_rate(host, ppm);
        self.say(host, HostChange::ClockDrifts);
    }

    // Faults.

    /// Asks, for each host one of whose timers is due, whether it crashes, stands still or has its clock go wrong.
    pub(super) fn harm_hosts(&mut self, due: &[Due]) {
        let owners = due.iter().map(|due| TaskId::of(due.task));
        let live = owners.filter_map(|id| self.tasks.get(id).filter(|task| task.live).map(|task| task.host));
        let hosts: BTreeSet<u16> = live.collect();
        for host in hosts {
            match self.ask_host(host, CLOCK, "") {
                0 => {}
                option => self.fail_clock(host, option),
            }
            match self.ask_host(host, PAUSE, "") {
                0 => {}
                option => {
                    self.pause(host, Some(self.now.saturating_add(self.outage(host, PAUSE, "", option))))
                }
            }
            match self.ask_host(host, CRASH, "") {
                0 => {}
                option => {
                    self.crash(host, Some(self.now.saturating_add(self.outage(host, CRASH, "", option))))
                }
            }
        }
    }

    /// Asks whether the running task's host crashes after an effect; whether it did.
    pub(crate) fn crash_after(&mut self, effect: &str) -> bool {
        let host = self.running_host();
        let option = self.ask_host(host, CRASH_AFTER, effect);
        if option > 0 {
            self.crash(host, Some(self.now.saturating_add(self.outage(host, CRASH_AFTER, effect, option))));
        }
        option > 0
    }

    fn ask_host(&mut self, host: u16, label: Label, object: &str) -> u64 {
        let Some(machine) = self.hosts.get(usize::from(host)) else { return 0 };
        let returns = !machine.mains.is_empty() && machine.once == 0;
        let can = machine.state == State::Up && (label == PAUSE || label == CLOCK || returns);
        if !can || self.quiet || self.is_deaf() {
            return 0;
        }
        match self.options_on(host, label, object) {
            1 => 0,
            mask => self.choose_on(host, None, label, object, 8, Weights::Fault(mask)),
        }
    }

    fn outage(&self, host: u16, label: Label, object: &str, option: u64) -> u64 {
        let name = &self.hosts[usize::from(host)].name;
        nanos(self.plan.outage(label.name(), object, name, option))
    }

    fn fail_clock(&mut self, host: u16, option: u64) {
        let (by, ppm) = self.plan.clock(&self.hosts[usize::from(host)].name);
        let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        let ppm = i32::try_from(ppm).unwrap_or(i32::MAX);
        match option {
            1 => self.jump_clock(host, by),
            2 => self.jump_clock(host, -by),
            3 => self.drift_clock(host, ppm),
            _ => self.drift_clock(host, -ppm),
        }
    }

    fn say(&mut self, host: u16, what: HostChange) {
        self.digests.event(5 << 61 ^ self.now.rotate_left(23) ^ u64::from(host) << 8 ^ what as u64);
        let name = self.machine(host).name.clone();
        self.host_news.push((name, what));
        self.attention = true;
    }
}

/// What has to be done for a host outside of any borrow.
pub(crate) enum HostStep {
    /// Drop this task, as the running one.
    Drop { slot: u32, boxed: Boxed },
    /// Begin these mains.
    Start { host: u16, mains: Vec<Main> },
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
