//! The rules of the house, as tests: layers, lengths, first lines, dead files, words that must not be committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

struct Source {
    path: String,
    text: String,
}

fn sources(dir: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut dirs = vec![root.join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn everywhere() -> Vec<Source> {
    ["src", "tests", "benches", "fuzz"].into_iter().flat_map(sources).collect()
}

/// The part of a file before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

fn complain(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The top-level modules in rank order, and the names that the root re-exports from each.
fn ranks() -> (Vec<String>, BTreeMap<String, String>) {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut modules = Vec::new();
    let mut exports = BTreeMap::new();
    for line in lib.lines() {
        let line = line.trim().trim_start_matches("pub ");
        if let Some(module) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(module.to_owned());
        }
        if let Some((module, names)) = line.strip_prefix("use ").and_then(|rest| rest.split_once("::")) {
            let words =
                names.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            exports.extend(words.map(|word| (word.to_owned(), module.to_owned())));
        }
    }
    (modules, exports)
}

#[test]
fn a_module_uses_earlier_modules_only() {
    let (modules, exports) = ranks();
    let rank = |name: &str| modules.iter().position(|module| module == name);
    assert!(modules.len() > 10, "the module list was read: {modules:?}");
    let mut problems = Vec::new();
    for source in sources("src") {
        let inside = source.path.trim_start_matches("src/");
        let own = inside.split(['/', '.']).next().unwrap();
        let Some(own_rank) = rank(own) else { continue };
        for (number, line) in code(&source.text).lines().enumerate() {
            let line = line.trim();
            if line.starts_with("//") {
                continue;
            }
            for used in line.split("crate::").skip(1) {
                let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // A brace list of modules names each of them.
                let names: Vec<&str> = match used.strip_prefix('{') {
                    Some(list) => list.split([',', '}', ' ', ':']).filter(|name| !name.is_empty()).collect(),
                    None if rank(&name).is_none() => {
                        exports.get(&name).map(|module| module.as_str()).into_iter().collect()
                    }
                    None => vec![&name],
                };
                for name in names {
                    if rank(name).is_some_and(|used| used > own_rank) {
                        problems.push(format!(
                            "{}:{}: `{own}` uses the later `{name}`",
                            source.path,
                            number + 1
                        ));
                    }
                }
            }
        }
    }
    complain(&problems);
}

#[test]
fn files_are_short_and_begin_with_what_they_are() {
    let mut problems = Vec::new();
    for source in everywhere() {
        let lines = code(&source.text).lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path));
        }
        if !source.text.starts_with("//!") {
            problems.push(format!("{}: the first line is no `//!`", source.path));
        }
    }
    complain(&problems);
}

#[test]
fn functions_are_short() {
    let mut problems = Vec::new();
    for source in everywhere() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let opens = line.trim_start().starts_with("fn ") || line.contains(" fn ");
            if !opens || line.trim_start().starts_with("//") || line.trim_end().ends_with([';', '}']) {
                continue;
            }
            let closes = |line: &&str| line.trim_end() == format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(closes).unwrap_or(0) + 1;
            if length > FUNCTION_LINES_MAX {
                problems.push(format!(
                    "{}:{}: {length} lines, at most {FUNCTION_LINES_MAX}",
                    source.path,
                    start + 1
                ));
            }
        }
    }
    complain(&problems);
}

#[test]
fn words_that_stand_for_unfinished_work_are_absent() {
    let everywhere_banned = [
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "allow("),
    ];
    let mut problems = Vec::new();
    for source in everywhere() {
        let banned_here: &[&str] =
            if source.path.starts_with("src/") { &[".unwrap()", "HashMap::", "HashSet::"] } else { &[] };
        for (number, line) in source.text.lines().enumerate() {
            let in_code = number < code(&source.text).lines().count() && !line.trim_start().starts_with("//");
            let banned = everywhere_banned.iter().chain(banned_here.iter().filter(|_| in_code));
            for word in banned.filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{}: `{word}`", source.path, number + 1));
            }
        }
    }
    complain(&problems);
}

#[test]
fn every_file_is_part_of_a_crate() {
    let mut problems = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources) {
        let path = Path::new(&source.path);
        let name = path.file_stem().unwrap().to_str().unwrap();
        // The zoo is included by a path: here and by the benches.
        if ["lib", "main"].contains(&name) || source.path == "tests/zoo/mod.rs" {
            continue;
        }
        let (parent_dir, module) = match name {
            "mod" => (path.parent().unwrap().parent().unwrap(), path.parent().unwrap().file_name().unwrap()),
            _ => (path.parent().unwrap(), path.file_stem().unwrap()),
        };
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|file| parent_dir.join(file));
        let sibling = parent_dir.with_extension("rs");
        let declared = parents.iter().chain([&sibling]).any(|parent| {
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(parent)).unwrap_or_default();
            text.contains(&format!("mod {};", module.to_str().unwrap()))
        });
        if !declared {
            problems.push(format!("{}: no `mod {}` names it", source.path, module.to_str().unwrap()));
        }
    }
    complain(&problems);
}

#[test]
fn one_file_only_has_unsafe_code() {
    let word = concat!("unsafe", " {");
    let files: Vec<String> = sources("src")
        .into_iter()
        .filter(|source| source.text.contains(word))
        .map(|source| source.path)
        .collect();
    assert_eq!(files, ["src/runtime/waker.rs"]);
}
