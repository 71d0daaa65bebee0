//! Panics of simulated code: one chained, process-wide hook that keeps message and place and prints nothing while a
//! world runs. Panics elsewhere go to the hook that was there before.

use super::current;
use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

static HOOK: Once = Once::new();

thread_local! {
    static QUIET: RefCell<Quiet> = const { RefCell::new(Quiet { depth: 0, last: None }) };
}

struct Quiet {
    depth: u32,
    last: Option<Last>,
}

/// The panic that the hook heard of last. It is told only of the same payload in the same step of the same world: user
/// code may have caught it, and resume another later, of which no hook hears.
struct Last {
    text: String,
    place: String,
    moment: Option<Moment>,
}

/// Epoch and step of the world in which a panic began; unknown while the world is borrowed.
type Moment = (u32, u64);

/// Installs the hook, once in a process.
pub(crate) fn install() {
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = QUIET.try_with(|quiet| keep(&mut quiet.borrow_mut(), info)).unwrap_or(false);
            if !kept {
                previous(info);
            }
        }));
    });
}

fn keep(quiet: &mut Quiet, info: &panic::PanicHookInfo<'_>) -> bool {
    if quiet.depth == 0 {
        return false;
    }
    let place =
        info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let moment = current::try_peek(|world| (world.epoch, world.steps));
    quiet.last = Some(Last { text: message(info.payload()), place, moment });
    true
}

/// What a panic said.
pub(crate) fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// From here to [`end_quiet`] panics on this thread are kept and not printed. What another world's code left is
/// forgotten.
pub(crate) fn begin_quiet() {
    QUIET.with_borrow_mut(|quiet| {
        quiet.depth += 1;
        quiet.last = None;
    });
}

/// What was heard of so far is told of no panic from now on.
pub(crate) fn forget() {
    QUIET.with_borrow_mut(|quiet| quiet.last = None);
}

/// Ends what [`begin_quiet`] began.
pub(crate) fn end_quiet() {
    QUIET.with_borrow_mut(|quiet| quiet.depth = quiet.depth.saturating_sub(1));
}

/// Runs user code and catches its panic.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> std::thread::Result<R> {
    panic::catch_unwind(AssertUnwindSafe(f))
}

/// What a panic said that [`catch`] caught, and where, if it began in this step.
#[cold]
pub(crate) fn said(payload: &(dyn Any + Send)) -> String {
    let text = message(payload);
    let now = current::try_peek(|world| (world.epoch, world.steps));
    let last = QUIET.with_borrow_mut(|quiet| quiet.last.take());
    match last.filter(|last| last.text == text && last.moment.is_none_or(|moment| Some(moment) == now)) {
        Some(last) => text + &last.place,
        None => text,
    }
}
