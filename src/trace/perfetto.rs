//! A trace as ui.perfetto.dev and chrome://tracing read it: hosts are processes, tasks are tracks, records are instants on
//! them, and faults and deviations are marks across the whole page.
//!
//! Virtual time stands in microseconds. A task is a slice from its spawn to its end. Where nothing takes time, events of
//! one instant lie over each other; their order is that of the file.

use super::text::{self, what};
use super::{Event, Kind, Trace};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The whole trace.
pub fn render(trace: &Trace) -> String {
    let mut tracks = Tracks::default();
    let mut events = Vec::new();
    let mut spawned: BTreeMap<&str, u64> = BTreeMap::new();
    for event in &trace.events {
        match &event.kind {
            Kind::Spawned { path } => drop(spawned.insert(path, event.at)),
            Kind::Ended { path, how } => {
                let from = spawned.remove(&**path).unwrap_or(0);
                events.push(slice(&mut tracks, path, from, event.at, how));
            }
            kind => events.push(instant(&mut tracks, event, kind)),
        }
    }
    let end = trace.events.last().map_or(0, |event| event.at);
    for (path, from) in spawned {
        events.push(slice(&mut tracks, path, from, end, "not ended"));
    }
    let names = tracks.names();
    let all: Vec<Value> = names.into_iter().chain(events).collect();
    json!({ "displayTimeUnit": "ms", "traceEvents": all }).to_string() + "\n"
}

/// The numbers of hosts and tasks, in the order in which the trace names them.
#[derive(Default)]
struct Tracks {
    hosts: Vec<String>,
    tasks: Vec<(usize, String)>,
}

impl Tracks {
    /// Process and track of a task, or of the simulation itself.
    fn of(&mut self, task: Option<&str>) -> (usize, usize) {
        let path = task.unwrap_or("simulation");
        let host = path.split(['/', '#']).next().unwrap_or(path);
        let process = self.hosts.iter().position(|known| known == host).unwrap_or_else(|| {
            self.hosts.push(host.to_owned());
            self.hosts.len() - 1
        });
        let track = self.tasks.iter().position(|(_, known)| known == path).unwrap_or_else(|| {
            self.tasks.push((process, path.to_owned()));
            self.tasks.len() - 1
        });
        (process + 1, track + 1)
    }

    fn names(&self) -> Vec<Value> {
        let hosts = (1..).zip(&self.hosts).map(|(pid, host): (usize, _)| {
            json!({ "ph": "M", "name": "process_name", "pid": pid, "args": { "name": host } })
        });
        let tasks = (1..).zip(&self.tasks).map(|(tid, (process, path)): (usize, _)| {
            json!({ "ph": "M", "name": "thread_name", "pid": process + 1, "tid": tid, "args": { "name": path } })
        });
        hosts.chain(tasks).collect()
    }
}

/// Microseconds, as the format wants them.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

fn slice(tracks: &mut Tracks, path: &str, from: u64, to: u64, how: &str) -> Value {
    let (pid, tid) = tracks.of(Some(path));
    let (ts, dur) = (micros(from), micros(to - from));
    json!({ "ph": "X", "name": path, "cat": "task", "pid": pid, "tid": tid, "ts": ts, "dur": dur,
        "args": { "end": how } })
}

fn instant(tracks: &mut Tracks, event: &Event, kind: &Kind) -> Value {
    let (pid, tid) = tracks.of(event.task.as_deref());
    // A mark across all processes for what deviates or breaks; else one on the track.
    let (category, scope) = match kind {
        Kind::Choice { meaning: Some(_), .. } => ("fault", "g"),
        Kind::Choice { .. } | Kind::Turn { instead_of: Some(_), .. } => ("deviation", "g"),
        Kind::Violated { .. } => ("violation", "g"),
        Kind::Turn { .. } => ("turn", "t"),
        Kind::Log { .. } => ("log", "t"),
        Kind::Record { .. } | Kind::Quiet | Kind::Spawned { .. } | Kind::Ended { .. } => ("event", "t"),
    };
    let name = match kind {
        Kind::Record { name, .. } => (*name).to_owned(),
        kind => what(kind),
    };
    json!({ "ph": "i", "name": name, "cat": category, "pid": pid, "tid": tid, "ts": micros(event.at), "s": scope,
        "args": { "at": text::time(event.at), "what": what(kind) } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn event(at: u64, task: Option<&str>, kind: Kind) -> Event {
        Event { at, task: task.map(Arc::from), kind }
    }

    #[test]
    fn hosts_are_processes_tasks_are_tracks_and_faults_are_marks() {
        let fault = Kind::Choice {
            site: "disk.write",
            owner: "a".to_owned(),
            occurrence: 1,
            option: 1,
            yields: false,
            meaning: Some("error"),
            place: None,
        };
        let trace = Trace {
            events: vec![
                event(0, None, Kind::Spawned { path: "a".into() }),
                event(500, Some("a"), Kind::Spawned { path: "a/w#2".into() }),
                event(1_500, Some("a/w#2"), fault),
                event(2_500, Some("a"), Kind::Ended { path: "a".into(), how: "finished" }),
            ],
        };
        let parsed: Value = serde_json::from_str(&render(&trace)).unwrap();
        let lines: Vec<String> =
            parsed["traceEvents"].as_array().unwrap().iter().map(Value::to_string).collect();
        let expected = [
            r#"{"args":{"name":"a"},"name":"process_name","ph":"M","pid":1}"#,
            r#"{"args":{"name":"a/w#2"},"name":"thread_name","ph":"M","pid":1,"tid":1}"#,
            r#"{"args":{"name":"a"},"name":"thread_name","ph":"M","pid":1,"tid":2}"#,
            r#"{"args":{"at":"1.5µs","what":"fault disk.write a #1: error"},"cat":"fault","name":"fault disk.write a #1: error","ph":"i","pid":1,"s":"g","tid":1,"ts":1.5}"#,
            r#"{"args":{"end":"finished"},"cat":"task","dur":2.5,"name":"a","ph":"X","pid":1,"tid":2,"ts":0.0}"#,
            r#"{"args":{"end":"not ended"},"cat":"task","dur":2.0,"name":"a/w#2","ph":"X","pid":1,"tid":1,"ts":0.5}"#,
        ];
        assert_eq!(lines, expected, "{lines:#?}");
    }
}
