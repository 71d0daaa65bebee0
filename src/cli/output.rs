//! Where text goes: stdout for what was asked, stderr for complaints; colour on terminals only.
//!
//! Separate because a closed pipe must never be a panic; it must not know what is said.

use crate::Error;
use std::io::{IsTerminal, Write};

/// Says what was asked for.
pub(super) fn say(text: &str) {
    // Nobody is listening any more, as in `fatum trace x | head`: not a failure of ours.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
}

/// Says something beside: progress, notes.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Says what is wrong.
pub(super) fn complain(error: &Error) {
    let prefix = paint(Colour::Red, "error:", wants_colour(&std::io::stderr()));
    note(&format!("{prefix} {error}"));
}

/// The colours.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    Red,
    Green,
}

/// Whether a stream is for eyes that want colour.
#[expect(clippy::disallowed_methods, reason = "colour is no part of a run")]
pub(super) fn wants_colour(stream: &impl IsTerminal) -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !is_refused
}

/// The text in a colour, if wanted.
pub(super) fn paint(colour: Colour, text: &str, wanted: bool) -> String {
    let code = match colour {
        Colour::Red => "31;1",
        Colour::Green => "32",
    };
    if wanted { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
