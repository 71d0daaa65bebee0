//! The running world of this thread: the one thread-local that facade calls go through.
//!
//! Whoever looks at it takes the boxed world out of its place and puts it back, with an outer world linked as parent, so
//! a broken borrow rule is a panic and not undefined behaviour. Messages for a world of this thread that is not entered
//! wait until it is.

use super::boxes::Boxed;
use super::spare::Spare;
use super::tasks::TaskId;
use super::timers::TimerKey;
use super::waker::WakeId;
use super::world::World;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

/// Bits of an epoch that count the worlds of a thread; the others are the thread's tag.
const COUNTER_BITS: u32 = 15;
const TAG_MAX: u32 = 1 << (24 - COUNTER_BITS);
/// Wakes from other threads that are kept for reports.
const ESCAPES_MAX: usize = 1024;

thread_local! {
    /// Never dropped by the thread, so that an access need not ask whether it was: whoever enters a world leaves it.
    static CURRENT: ManuallyDrop<Place> = const { ManuallyDrop::new(Cell::new(None)) };
    /// How many worlds are entered: with one at least, an empty place says that the world is lent.
    static ENTERED: Cell<u32> = const { Cell::new(0) };
    static THREAD: RefCell<Thread> = const { RefCell::new(Thread::new()) };
    static TAG: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Where the running world is, unless it is lent.
type Place = Cell<Option<Box<World>>>;

/// The running world while somebody looks at it, if one runs. It goes back where it was also when they panic.
struct Lent<'a> {
    place: &'a Place,
    world: Option<Box<World>>,
}

impl Drop for Lent<'_> {
    #[inline]
    fn drop(&mut self) {
        // The place is empty: to drop what is there is left out.
        std::mem::forget(self.place.replace(self.world.take()));
    }
}

/// Lends the running world to `f`, if one runs.
///
/// # Panics
/// When it is lent already.
#[inline]
fn lend<R>(f: impl FnOnce(Option<&mut World>) -> R) -> R {
    CURRENT.with(|place| {
        let mut lent = Lent { place, world: place.take() };
        if lent.world.is_none() {
            expect_outside();
        }
        f(lent.world.as_deref_mut())
    })
}

#[cold]
fn expect_outside() {
    assert!(ENTERED.get() == 0, "the running world is borrowed by one at a time");
}

/// Numbers the threads; part of no trace.
static TAG_NEXT: AtomicU32 = AtomicU32::new(0);
/// Wakes that came from a thread that is not the world's.
static ESCAPES: Mutex<Vec<WakeId>> = Mutex::new(Vec::new());
/// Whether there may be any: a run that ends need not take the lock to hear that there are none.
static ESCAPED: AtomicBool = AtomicBool::new(false);

/// What a thread keeps beside the running world.
struct Thread {
    epoch_next: u32,
    live: Vec<u32>,
    parked: Vec<(u32, Message)>,
    spare: Spare,
}

impl Thread {
    const fn new() -> Thread {
        Thread { epoch_next: 0, live: Vec::new(), parked: Vec::new(), spare: Spare::new() }
    }

    fn epoch(&mut self) -> u32 {
        let counter = self.epoch_next % (1 << COUNTER_BITS);
        self.epoch_next = self.epoch_next.wrapping_add(1);
        tag() << COUNTER_BITS | counter
    }
}

/// What can be said to a world that is not entered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    Wake(WakeId),
    Abort(TaskId),
    Detach(TaskId),
    CancelTimer(TimerKey),
}

/// What a message left: a task's box and a waker, user values that are dropped when no world is borrowed.
pub(crate) type Remains = (Option<Boxed>, Option<Waker>);

fn tag() -> u32 {
    TAG.get().unwrap_or_else(|| {
        let tag = TAG_NEXT.fetch_add(1, Ordering::Relaxed) % TAG_MAX;
        TAG.set(Some(tag));
        tag
    })
}

/// An epoch for a new world of this thread, and memory. The counter wraps, so a world that is still alive keeps its own,
/// and what is told of an earlier bearer is forgotten.
pub(crate) fn open_epoch() -> (u32, Spare) {
    let (epoch, spare) = THREAD.with_borrow_mut(|thread| {
        let mut epoch = thread.epoch();
        while thread.live.contains(&epoch) {
            epoch = thread.epoch();
        }
        thread.live.push(epoch);
        (epoch, std::mem::replace(&mut thread.spare, Spare::new()))
    });
    take_escape(epoch);
    (epoch, spare)
}

/// Ends an epoch: whatever still points to it does nothing from now on.
pub(crate) fn close_epoch(epoch: u32) {
    let _ = THREAD.try_with(|thread| {
        let mut thread = thread.borrow_mut();
        thread.live.retain(|live| *live != epoch);
        thread.parked.retain(|(parked, _)| *parked != epoch);
    });
}

/// Keeps the memory of a world that has ended for the next one.
pub(crate) fn keep_spare(spare: Spare) {
    // A thread that is ending makes no worlds any more.
    let _ = THREAD.try_with(|thread| thread.borrow_mut().spare = spare);
}

/// How many worlds of this thread have not ended.
#[cfg(test)]
pub(crate) fn live_worlds() -> usize {
    THREAD.with_borrow(|thread| thread.live.len())
}

/// Makes `world` the running one; what its messages left over is for the caller to drop while it runs.
///
/// # Panics
/// When a world is lent.
pub(crate) fn enter(mut world: Box<World>) -> Option<Vec<Remains>> {
    lend(|_| ());
    super::panics::begin_quiet();
    let is_told = THREAD.with_borrow(|thread| !thread.parked.is_empty());
    let leftovers = is_told.then(|| tell_parked(&mut world));
    CURRENT.with(|place| {
        world.parent = place.take();
        place.set(Some(world));
    });
    ENTERED.set(ENTERED.get() + 1);
    leftovers
}

/// Tells a world what was kept for it; what that left over.
#[cold]
fn tell_parked(world: &mut World) -> Vec<Remains> {
    let mine: Vec<(u32, Message)> = THREAD.with_borrow_mut(|thread| {
        let (mine, others) = thread.parked.drain(..).partition(|(parked, _)| *parked == world.epoch);
        thread.parked = others;
        mine
    });
    mine.into_iter().map(|(_, message)| world.apply(message)).collect()
}

/// Gives the running world back and makes its parent the running one.
///
/// # Panics
/// When no world runs.
pub(crate) fn leave() -> Box<World> {
    super::panics::end_quiet();
    CURRENT.with(|place| {
        let mut world = place.take().expect("a world that leaves was entered");
        ENTERED.set(ENTERED.get() - 1);
        place.set(world.parent.take());
        world
    })
}

/// Runs `f` on the running world.
///
/// # Panics
/// When no world runs.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    lend(|world| f(world.expect("a simulation is running on this thread")))
}

/// Runs `f` on the running world, if there is one.
#[inline]
pub(crate) fn try_with<R>(f: impl FnOnce(&mut World) -> R) -> Option<R> {
    lend(|world| world.map(f))
}

/// Looks at the running world, if there is one and nobody has borrowed it: for a hook that may be called anywhere.
pub(crate) fn try_peek<R>(f: impl FnOnce(&World) -> R) -> Option<R> {
    CURRENT.with(|place| Lent { place, world: place.take() }.world.as_deref().map(f))
}

/// Whether code on this thread runs inside a simulation.
#[inline]
pub fn is_simulated() -> bool {
    lend(|world| world.is_some())
}

/// Whether the running task is one of a host that crashed: it has no access to the world any more.
pub(crate) fn is_cut() -> bool {
    try_with(|world| world.is_cut()) == Some(true)
}

/// What `f` makes of the running world, if it is the one of this epoch.
#[inline]
fn with_epoch<R>(epoch: u32, f: impl FnOnce(&mut World) -> R) -> Option<R> {
    lend(|world| world.filter(|world| world.epoch == epoch).map(f))
}

/// Tells a world something, now or when it is next entered. A world that is gone hears nothing.
#[inline]
pub(crate) fn send(epoch: u32, message: Message) {
    match with_epoch(epoch, |world| world.apply(message)) {
        Some(leftovers) => drop(leftovers),
        None => send_outward(epoch, message),
    }
}

/// The message is for a world around the running one, or for none that is entered.
#[cold]
fn send_outward(epoch: u32, message: Message) {
    let leftovers = lend(|mut world| {
        while let Some(candidate) = world {
            if candidate.epoch == epoch {
                return Some(candidate.apply(message));
            }
            world = candidate.parent.as_deref_mut();
        }
        None
    });
    match leftovers {
        Some(leftovers) => drop(leftovers),
        None => park(epoch, message),
    }
}

fn park(epoch: u32, message: Message) {
    if epoch >> COUNTER_BITS != tag() {
        return escape(message);
    }
    // A thread that is ending has no worlds any more.
    let _ = THREAD.try_with(|thread| {
        let mut thread = thread.borrow_mut();
        if thread.live.contains(&epoch) {
            thread.parked.push((epoch, message));
        }
    });
}

/// Keeps a wake from another thread for the owner's report; other messages from there do nothing.
fn escape(message: Message) {
    let Message::Wake(id) = message else { return };
    let mut escapes = ESCAPES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if escapes.len() < ESCAPES_MAX {
        escapes.push(id);
    }
    ESCAPED.store(true, Ordering::Release);
}

/// A task of this world that another thread woke, if any.
pub(crate) fn take_escape(epoch: u32) -> Option<WakeId> {
    if !ESCAPED.load(Ordering::Acquire) {
        return None;
    }
    let mut escapes = ESCAPES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let found = escapes.iter().copied().find(|id| id.epoch() == epoch);
    escapes.retain(|id| id.epoch() != epoch);
    ESCAPED.store(!escapes.is_empty(), Ordering::Release);
    found
}

/// Wakes a task: at once when its world runs.
#[inline]
pub(crate) fn wake(id: WakeId) {
    if try_with(|world| world.wake(id)) != Some(true) {
        wake_outward(id);
    }
}

#[cold]
fn wake_outward(id: WakeId) {
    send_outward(id.epoch(), Message::Wake(id));
}

/// Takes a timer of a world out: at once when that runs.
#[inline]
pub(crate) fn cancel_timer(epoch: u32, key: TimerKey) {
    match with_epoch(epoch, |world| world.cancel_timer(key)) {
        Some(waker) => drop(waker),
        None => send_outward(epoch, Message::CancelTimer(key)),
    }
}

/// Says what to do about a facade call outside a simulation.
#[cfg(not(feature = "tokio"))]
#[cold]
#[track_caller]
pub(crate) fn outside(what: &str) -> ! {
    panic!(
        "{what} was called outside a simulation: call it under `fatum::check` or `fatum::Sim`, \
         or turn on fatum's cargo feature `tokio` to run on tokio"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::bytes::BytesSource;
    use crate::choice::fault::FaultPlan;
    use crate::runtime::end::{Budget, LeakPolicy, PanicPolicy};
    use crate::runtime::leftovers::Cancels;
    use crate::runtime::panics;
    use crate::runtime::world::{Config, Keep};

    fn world() -> Box<World> {
        World::new(Config {
            source: Box::new(BytesSource::new(&[])),
            plan: FaultPlan::none(),
            budget: Budget::default(),
            panics: PanicPolicy::default(),
            leaks: LeakPolicy::default(),
            keep: Keep::Digests,
            checkpoints: false,
            cancels: Cancels::Nothing,
        })
    }

    #[test]
    fn a_world_is_lent_to_one_at_a_time_and_comes_back() {
        panics::install();
        assert!(enter(world()).is_none());
        let epoch = with(|world| world.epoch);
        assert!(with(|_| try_peek(|_| ()).is_none()));
        let looks: [fn(); 4] = [
            || with(|_| with(|_| ())),
            || with(|_| assert_eq!(try_with(|_| ()), None)),
            || with(|_| assert!(is_simulated())),
            || {
                let inner = world();
                with(|_| assert!(enter(inner).is_none()));
            },
        ];
        for look in looks {
            let payload = panics::catch(look).expect_err("a world that is lent is not lent again");
            assert_eq!(panics::message(&*payload), "the running world is borrowed by one at a time");
            assert_eq!(try_with(|world| world.epoch), Some(epoch));
        }
        assert!(enter(world()).is_none());
        assert_ne!(with(|world| world.epoch), epoch, "the inner one runs");
        leave().retire();
        assert_eq!(try_peek(|world| world.epoch), Some(epoch));
        leave().retire();
        assert_eq!(try_with(|_| ()), None);
        assert!(!is_simulated() && try_peek(|_| ()).is_none());
    }
}
