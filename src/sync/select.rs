//! `select!`: tokio's, with the branch that is polled first as a choice.
//!
//! It goes through the internal arm of tokio's macro that takes the start; a test holds every form that it accepts.
//! tokio's own start is drawn from a generator that nobody can seed.

use crate::choice::{Label, Weights};
use crate::runtime::current;

const SELECT: Label = Label::new("select");

/// The branch of `branches` to poll first: a choice in a simulation, tokio's random one outside.
#[doc(hidden)]
#[inline]
pub fn select_start(branches: u32) -> u32 {
    if !current::is_simulated() {
        return tokio::macros::support::thread_rng_n(branches);
    }
    if branches < 2 {
        return 0;
    }
    let start = current::with(|world| world.choose(SELECT, "", u64::from(branches), Weights::Uniform));
    u32::try_from(start).expect("a choice is less than its arity")
}

/// Waits for the first of several branches; the others are dropped. tokio's, in every form.
///
/// In a simulation, the branch that is polled first is a choice at the site `select`, asked at each poll; `biased;`
/// begins with the first.
#[macro_export]
macro_rules! select {
    ($(biased;)? else => $else:expr $(,)?) => {{
        $else
    }};
    (biased; $($branches:tt)+) => {
        $crate::__private::tokio::select!(@{ start = 0; () } $($branches)+)
    };
    () => {
        compile_error!("select! requires at least one branch.")
    };
    ($($branches:tt)+) => {
        $crate::__private::tokio::select!(
            @{ start = { $crate::__private::select_start(BRANCHES) }; () } $($branches)+
        )
    };
}
