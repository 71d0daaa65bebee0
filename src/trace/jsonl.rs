//! A trace for machines: one JSON object a line, with the keys `at`, `task`, `event` and those of the event.

use super::{Event, Field, Kind, Owned, Trace};
use serde_json::{Map, Value, json};

/// The whole trace.
pub fn render(trace: &Trace) -> String {
    let lines = trace.events.iter().map(|event| Value::Object(line(event)).to_string() + "\n");
    lines.collect()
}

fn line(event: &Event) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("at".into(), json!(event.at));
    map.insert("task".into(), json!(event.task.as_deref()));
    let (name, body) = body(&event.kind);
    map.insert("event".into(), json!(name));
    if let Value::Object(body) = body {
        map.extend(body);
    }
    map
}

fn body(kind: &Kind) -> (&'static str, Value) {
    match kind {
        Kind::Spawned { path } => ("spawned", json!({ "path": &**path })),
        Kind::Turn { turn, ready, instead_of } => {
            ("turn", json!({ "turn": turn, "ready": ready, "instead_of": instead_of.as_deref() }))
        }
        Kind::Ended { path, how } => ("ended", json!({ "path": &**path, "how": how })),
        Kind::Choice { site, owner, occurrence, option, yields, meaning, place } => (
            "choice",
            json!({ "site": site, "owner": owner, "occurrence": occurrence, "option": option, "yields": yields,
                "meaning": meaning, "place": place }),
        ),
        Kind::Record { name, fields } => ("record", json!({ "name": name, "fields": members(fields) })),
        Kind::Log { level, target, message } => {
            ("log", json!({ "level": level, "target": target, "message": message }))
        }
        Kind::Quiet => ("quiet", json!({})),
        Kind::Violated { property, detail } => {
            ("violated", json!({ "property": property, "detail": detail }))
        }
    }
}

/// A field that stands there several times is an array.
fn members(fields: &[Field]) -> Map<String, Value> {
    let mut members = Map::new();
    for field in fields {
        let value = value(&field.value);
        match members.get_mut(field.key) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(members.insert(field.key.to_owned(), value)),
        }
    }
    members
}

fn value(owned: &Owned) -> Value {
    match owned {
        Owned::U64(number) | Owned::Key(number, _) => json!(number),
        Owned::I64(number) => json!(number),
        Owned::Bool(flag) => json!(flag),
        Owned::Str(text) => json!(text),
    }
}
