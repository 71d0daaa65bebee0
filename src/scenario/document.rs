//! A TOML file that a person wrote: its path and text, and errors that point into it.
//!
//! Separate because every file of ours is read alike: bounded, never a panic, each mistake with its line, what is
//! allowed, and the nearest word. It must not know what the files mean.

use crate::Error;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
pub const SIZE_MAX: u64 = 1 << 20;

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
        let refused = |source| Error::io("read", path, source);
        if std::fs::metadata(path).map_err(refused)?.is_dir() {
            return Err(Error::input(format!("{} is a directory, not a {what} file", path.display())));
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(refused)?;
        file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(refused)?;
        if bytes.len() as u64 > SIZE_MAX {
            let message = format!("{} is no {what} file: it is larger than 1 MiB", path.display());
            return Err(Error::input(message));
        }
        let document = Document::decode(path, bytes)?;
        if document.text.trim().is_empty() {
            return Err(Error::input(format!("{} is empty, not a {what} file", path.display())));
        }
        Ok(document)
    }

    fn decode(path: &Path, bytes: Vec<u8>) -> Result<Document, Error> {
        String::from_utf8(bytes).map(|text| Document::new(path, text)).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1;
            let message = format!("{}:{line}: not a text: byte {offset} is not UTF-8", path.display());
            Error::input(message)
        })
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
            self.at(span, explained(error.message()))
        })
    }

    /// Places an error at `span` of the text.
    pub fn at(&self, span: Range<usize>, error: Error) -> Error {
        // A table's span begins at its header or, for the whole file, before its leading comments.
        error.at(&self.path, &self.text, span.start)
    }
}

/// What a message of the parser means, with what is allowed and the nearest word.
fn explained(message: &str) -> Error {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let allowed = quoted.get(1..).unwrap_or_default();
    match quoted.first() {
        Some(found) if message.starts_with("unknown field") => Error::one_of("key", found, allowed),
        Some(found) if message.starts_with("unknown variant") => Error::one_of("value", found, allowed),
        Some(missing) if message.starts_with("missing field") => {
            Error::input(format!("the key `{missing}` is missing here"))
        }
        Some(_) | None => match message.split_once("\nhelp: ") {
            Some((message, help)) => Error::input(message).help(help),
            None => Error::input(message.trim_end().replace('\n', ", ")),
        },
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
