//! A TOML file that a person wrote: its path and text, and errors that point into it.
//!
//! Separate because every file of ours is read alike: bounded, never a panic, each mistake with its line, what is
//! allowed, and the nearest word. It must not know what the files mean.

use crate::Error;
use crate::text;
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const SIZE_MAX: u64 = text::SIZE_MAX;

/// A file and its text.
#[derive(Clone, Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// A text that is the content of `path`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Document {
        Document { path: path.into(), text: text.into() }
    }

    /// Reads a file; `what` says what it should be, as in "scenario".
    ///
    /// # Errors
    /// It is not there, no file, too large, empty, or no text.
    pub fn open(path: &Path, what: &str) -> Result<Document, Error> {
        Ok(Document::new(path, text::read_filled(path, what)?))
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as a `T`.
    ///
    /// # Errors
    /// Where it is no TOML or no `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        toml::from_str(&self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            self.at(span, text::explained(error.message()))
        })
    }

    /// Places an error at `span` of the text.
    pub fn at(&self, span: Range<usize>, error: Error) -> Error {
        // A table's span begins at its header or, for the whole file, before its leading comments.
        error.at(&self.path, &self.text, span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[expect(dead_code, reason = "only its parsing is of interest")]
        first: u32,
        #[expect(dead_code, reason = "only its parsing is of interest")]
        second: Option<Choice>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Choice {
        OldestFirst,
    }

    #[test]
    fn mistakes_are_placed_and_explained() {
        for (text, expected) in [
            (
                "first = 1\nsecnd = 2",
                "f.toml:2:1: there is no key `secnd`\n  |\n2 | secnd = 2\n  | ^\nhelp: did you mean `second`? allowed: first, second",
            ),
            (
                "first = 1\nsecond = 'oldest'",
                "f.toml:2:10: there is no value `oldest`\n  |\n2 | second = 'oldest'\n  |          ^\nhelp: did you mean `oldest-first`? allowed: oldest-first",
            ),
            (
                "first = -1",
                "f.toml:1:9: invalid value: integer `-1`, expected u32\n  |\n1 | first = -1\n  |         ^",
            ),
            (
                "second = 'oldest-first'",
                "f.toml:1:1: the key `first` is missing here\n  |\n1 | second = 'oldest-first'\n  | ^",
            ),
        ] {
            let error = Document::new("f.toml", text).parse::<Pair>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
