//! The one error of the crate: what happened, where, and what to do, with the cause behind it.
//!
//! Opaque on purpose: callers print it or ask it what it is about; kinds may grow.

use std::fmt;
use std::path::{Path, PathBuf};

/// How much of a line an error shows, in characters.
const TEXT_MAX: usize = 160;

/// A user's mistake, or something the machine refused.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    help: Option<String>,
    place: Option<Place>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    line: usize,
    column: usize,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Input,
    Io,
}

impl Error {
    fn new(kind: Kind, message: String) -> Error {
        Error(Box::new(Inner { kind, message, help: None, place: None, source: None }))
    }

    /// Input that cannot be used.
    pub fn input(message: impl Into<String>) -> Error {
        Error::new(Kind::Input, message.into())
    }

    /// A file operation that failed.
    pub fn io(doing: &str, path: &Path, source: std::io::Error) -> Error {
        let message = format!("cannot {doing} {}: {source}", path.display());
        Error::new(Kind::Io, message).caused_by(source)
    }

    /// A word that is none of those allowed; names the nearest.
    pub fn one_of(what: &str, found: &str, allowed: &[&str]) -> Error {
        let error = Error::input(format!("there is no {what} `{found}`"));
        let list = format!("allowed: {}", allowed.join(", "));
        match nearest(found, allowed.iter().copied()) {
            Some(near) => error.help(format!("did you mean `{near}`? {list}")),
            None => error.help(list),
        }
    }

    /// Puts before the message what it is about.
    pub fn within(mut self, what: &str) -> Error {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Adds what to do.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the cause.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the place: the byte at `offset` of `text`, which is the content of `path`.
    pub fn at(mut self, path: &Path, text: &str, offset: usize) -> Error {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        let content: String = text.lines().nth(line - 1).unwrap_or("").chars().take(TEXT_MAX).collect();
        self.0.place = Some(Place { path: path.to_owned(), line, column, text: content });
        self
    }

    /// Whether the machine refused a file operation.
    pub fn is_io(&self) -> bool {
        self.0.kind == Kind::Io
    }

    /// Line and column of the place, from 1, where there is one.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.0.place.as_ref().map(|place| (place.line, place.column))
    }
}

/// The candidate most like `found`, if one is alike at all.
pub(crate) fn nearest<'a>(found: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.map(|candidate| (strsim::jaro_winkler(found, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.place {
            Some(place) => {
                writeln!(f, "{}:{}:{}: {}", place.path.display(), place.line, place.column, self.0.message)?;
                let margin = place.line.to_string().len();
                // The text is cut, and a width has a limit.
                let column = place.column.min(TEXT_MAX + 1);
                writeln!(f, "{:margin$} |", "")?;
                writeln!(f, "{} | {}", place.line, place.text)?;
                write!(f, "{:margin$} | {:>column$}", "", "^")?;
            }
            None => write!(f, "{}", self.0.message)?,
        }
        match &self.0.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
