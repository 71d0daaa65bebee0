//! Scenario files by path: files as they are, directories with all `.toml` files below them, sorted.
//!
//! Separate because two commands look for files; it must not open them.

use crate::Error;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Directories below each other, at most: a bound on links in circles.
const DEPTH_MAX: usize = 32;

/// The scenario files that these paths mean; each once.
pub(super) fn scenarios(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let mut files = BTreeSet::new();
        collect(path, 0, &mut files)?;
        if files.is_empty() {
            return Err(Error::input(format!("there is no scenario file (*.toml) below {}", path.display())));
        }
        let is_new = |file: &PathBuf| !found.contains(file);
        let new: Vec<PathBuf> = files.into_iter().filter(is_new).collect();
        found.extend(new);
    }
    Ok(found)
}

fn collect(path: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    let refused = |source| Error::io("read", path, source);
    if !std::fs::metadata(path).map_err(refused)?.is_dir() {
        files.insert(clean(path));
        return Ok(());
    }
    if depth == DEPTH_MAX {
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(refused)? {
        let below = entry.map_err(refused)?.path();
        let is_hidden = below.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_scenario = below.extension().is_some_and(|extension| extension == "toml");
        if !is_hidden && (is_scenario || below.is_dir()) {
            collect(&below, depth + 1, files)?;
        }
    }
    Ok(())
}

/// Without `./`: a scenario has one name, however it is reached.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
