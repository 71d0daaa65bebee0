//! Task paths and turn counts: who is who in a tape. Built only in runs that record or replay.
//!
//! A path is `parent/name#ordinal`, the ordinal (from 2) among siblings of that name; a root's parent is its host.

use super::{fold, hash_bytes, hash_on};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The names of the live tasks of a run, by slot.
#[derive(Debug, Default)]
pub struct Names {
    tasks: Vec<Named>,
    ordinals: BTreeMap<(Arc<str>, String), u32>,
    /// By site and owner: a fold of their hashes, as every question looks here.
    occurrences: BTreeMap<u64, u32>,
}

#[derive(Clone, Debug)]
struct Named {
    path: Arc<str>,
    /// Hash of the path.
    hash: u64,
    turn: u32,
}

impl Names {
    /// Names the task in `slot` after its parent's path and its own name; the path.
    pub fn spawn(&mut self, slot: u32, parent: Option<&str>, name: &str) -> Arc<str> {
        let parent: Arc<str> = Arc::from(parent.unwrap_or(""));
        let name = clean(name);
        let ordinal = self.ordinals.entry((parent.clone(), name.clone())).or_insert(0);
        *ordinal += 1;
        let path = join(&parent, &name, *ordinal);
        let slot = slot as usize;
        if self.tasks.len() <= slot {
            self.tasks.resize(slot + 1, Named { path: Arc::from(""), hash: 0, turn: 0 });
        }
        self.tasks[slot] = Named { path: path.clone(), hash: hash_bytes(path.as_bytes()), turn: 0 };
        path
    }

    /// The path of the task in `slot`.
    pub fn path(&self, slot: u32) -> &Arc<str> {
        &self.tasks[slot as usize].path
    }

    /// The turn that the task in `slot` takes next, counted from 1.
    pub fn next_turn(&self, slot: u32) -> u32 {
        self.tasks[slot as usize].turn + 1
    }

    /// Counts a turn of the task in `slot`.
    pub fn took_turn(&mut self, slot: u32) {
        self.tasks[slot as usize].turn += 1;
    }

    /// Counts one more question at a site of the object at its host, or of the task in `slot` where the site names no
    /// object, or else of the host; the first is 1.
    pub fn occurrence(&mut self, site: u64, object: &str, host: &str, slot: Option<u32>) -> u32 {
        let owner = match slot {
            _ if !object.is_empty() => hash_on(hash_on(hash_bytes(object.as_bytes()), b"@"), host.as_bytes()),
            Some(slot) => self.tasks[slot as usize].hash,
            None => hash_bytes(host.as_bytes()),
        };
        let count = self.occurrences.entry(fold(site, owner)).or_insert(0);
        *count += 1;
        *count
    }
}

/// A name as a path segment: separators would make two paths one.
fn clean(name: &str) -> String {
    let separator = |c: char| c == '/' || c == '#' || c.is_whitespace() || c.is_control();
    let text: String = name.chars().map(|c| if separator(c) { '_' } else { c }).collect();
    if text.is_empty() { "task".to_owned() } else { text }
}

fn join(parent: &str, name: &str, ordinal: u32) -> Arc<str> {
    let slash = if parent.is_empty() { "" } else { "/" };
    if ordinal == 1 {
        Arc::from(format!("{parent}{slash}{name}"))
    } else {
        Arc::from(format!("{parent}{slash}{name}#{ordinal}"))
    }
}

/// The last named segment of a future's type name, type parameters aside: `a::b::worker::{{closure}}` is `worker`, and
/// so is `<a::B<T> as a::C>::worker::{{closure}}`.
pub fn segment(type_name: &'static str) -> &'static str {
    let (last, inner) = last_outside_brackets(type_name);
    if !last.is_empty() {
        return last;
    }
    // All that has a name stands in brackets: the type of `<a::B as a::C>::{{closure}}`.
    let type_ = inner.split_once(" as ").map_or(inner, |(type_, _trait)| type_);
    match last_outside_brackets(type_).0 {
        "" => "task",
        last => last,
    }
}

/// The last named segment that stands in no `<…>`, and the text from the first `<` on.
fn last_outside_brackets(text: &'static str) -> (&'static str, &'static str) {
    let (mut last, mut inner) = ("", "");
    let (mut depth, mut start, mut previous) = (0u32, 0, ' ');
    for (at, c) in text.char_indices().chain([(text.len(), ':')]) {
        let ends = depth == 0 && matches!(c, ':' | '<' | '>');
        if ends {
            last = named(&text[start..at]).unwrap_or(last);
            start = at + 1;
        }
        match c {
            '<' => {
                if inner.is_empty() {
                    inner = &text[at + 1..];
                }
                depth += 1;
            }
            '>' if previous == '-' => {}
            // The end of the brackets that the text began in.
            '>' if depth == 0 => break,
            '>' => {
                depth -= 1;
                start = at + 1;
            }
            _ => {}
        }
        previous = c;
    }
    (last, inner)
}

/// The part of a path, if it has a name.
fn named(part: &str) -> Option<&str> {
    let word = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != '{');
    (!word.is_empty() && !word.starts_with('{')).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_of_one_name_are_counted() {
        let mut names = Names::default();
        names.spawn(0, None, "main");
        let paths: Vec<_> =
            (1..4).map(|slot| names.spawn(slot, Some("main"), "worker").to_string()).collect();
        assert_eq!(paths, ["main/worker", "main/worker#2", "main/worker#3"]);
    }

    #[test]
    fn questions_are_counted_by_the_owner_that_a_tape_names() {
        let mut names = Names::default();
        names.spawn(0, None, "disk@a");
        assert_eq!(names.occurrence(7, "disk", "a", None), 1);
        assert_eq!(names.occurrence(7, "", "a", Some(0)), 2, "the task's path is the same text");
        assert_eq!(names.occurrence(7, "", "disk@a", None), 3, "and so is the host's name");
        assert_eq!(names.occurrence(7, "disk", "b", Some(0)), 1);
        assert_eq!(names.occurrence(8, "disk", "a", None), 1);
    }

    #[test]
    fn separators_in_names_are_replaced() {
        let mut names = Names::default();
        assert_eq!(&*names.spawn(0, Some("h"), "a/b c#2"), "h/a_b_c_2");
        assert_eq!(&*names.spawn(0, Some("h"), ""), "h/task");
    }

    #[test]
    fn default_name_is_the_last_named_segment() {
        assert_eq!(segment("a::b::worker::{{closure}}"), "worker");
        assert_eq!(segment("a::b::{{closure}}::{{closure}}"), "b");
        assert_eq!(segment("tokio::join::Join<a::B>"), "Join");
    }

    #[test]
    fn type_parameters_and_traits_do_not_hide_the_method() {
        for (type_name, expected) in [
            ("a::Foo<T>::run::{{closure}}", "run"),
            ("a::Foo<T, b::Bar<u8>>::run::{{closure}}::{{closure}}", "run"),
            ("a::run<b::Bar<u8>>::{{closure}}", "run"),
            ("<a::Foo as b::Tr>::run::{{closure}}", "run"),
            ("<a::Foo<T> as b::Tr<u8>>::run<V>::{{closure}}", "run"),
            ("a::<impl b::Tr for a::Foo>::run::{{closure}}", "run"),
            ("<a::Foo<T> as b::Tr>::{{closure}}", "Foo"),
            ("<a::Foo<T>>::{{closure}}", "Foo"),
            ("a::Foo<fn(u8) -> b::Bar>::run::{{closure}}", "run"),
            ("core::pin::Pin<alloc::boxed::Box<dyn core::future::Future<Output = ()>>>", "Pin"),
            ("&mut a::Foo", "Foo"),
            ("{{closure}}", "task"),
            ("", "task"),
        ] {
            assert_eq!(segment(type_name), expected, "{type_name}");
        }
    }
}
