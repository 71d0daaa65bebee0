//! A text file that a person wrote, read within bounds: never more than is allowed, never a panic. Separate because every
//! file of ours is read alike, whatever it holds; it must not know what files mean.

use crate::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest file that is read, in bytes.
pub(crate) const SIZE_MAX: u64 = 1 << 20;

/// Reads a file; `what` says what it should be, as in "scenario".
///
/// # Errors
/// It is not there, no file, too large, or no text.
pub(crate) fn read(path: &Path, what: &str) -> Result<String, Error> {
    let refused = |source| Error::io("read", path, source);
    if std::fs::metadata(path).map_err(refused)?.is_dir() {
        let message = format!("{} is a directory, not {} {what} file", path.display(), article(what));
        return Err(Error::input(message));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refused)?;
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > SIZE_MAX {
        return Err(too_large(path, what));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::input(format!("{}:{line}: not a text: byte {offset} is not UTF-8", path.display()))
    })
}

/// As [`read`], and something has to stand in it.
///
/// # Errors
/// As [`read`], and where it is blank.
pub(crate) fn read_filled(path: &Path, what: &str) -> Result<String, Error> {
    let text = read(path, what)?;
    if text.trim().is_empty() {
        return Err(Error::input(format!("{} is empty, not {} {what} file", path.display(), article(what))));
    }
    Ok(text)
}

/// Says that there is more of it than is read.
pub(crate) fn too_large(path: &Path, what: &str) -> Error {
    Error::input(format!("{} is no {what} file: it is larger than 1 MiB", path.display()))
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// What a message of the TOML parser means, with what is allowed and the nearest word.
pub(crate) fn explained(message: &str) -> Error {
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
