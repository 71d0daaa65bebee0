//! Panics of simulated code: one chained, process-wide hook that keeps message and place and prints nothing while a
//! world runs. Panics elsewhere go to the hook that was there before.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

static HOOK: Once = Once::new();

thread_local! {
    static QUIET: RefCell<Quiet> = const { RefCell::new(Quiet { depth: 0, last: None }) };
}

struct Quiet {
    depth: u32,
    last: Option<String>,
}

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
    quiet.last = Some(format!("{}{place}", message(info.payload())));
    true
}

/// What a panic said.
pub(crate) fn message(payload: &dyn std::any::Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// From here to [`end_quiet`] panics on this thread are kept and not printed.
pub(crate) fn begin_quiet() {
    QUIET.with_borrow_mut(|quiet| quiet.depth += 1);
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

/// Message and place of the panic that [`catch`] caught last on this thread.
pub(crate) fn take_last() -> Option<String> {
    QUIET.with_borrow_mut(|quiet| quiet.last.take())
}
