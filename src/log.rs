//! The `tracing` layer: events and spans of the program under test, in the trace of its run.
//!
//! Lines are stamped with virtual time, host and task. They are no part of the digests, as no subscriber listens in
//! a sweep. A field's value is formatted before the world is borrowed.

use crate::runtime::current;
use crate::trace::{Kind, Trace, text};
use std::fmt::Write;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Writes `tracing` events and the begin and end of spans into the trace of the running simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceLayer;

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let space = if self.0.is_empty() { "" } else { " " };
        let _ = match field.name() {
            "message" => write!(self.0, "{space}{value:?}"),
            name => write!(self.0, "{space}{name}={value:?}"),
        };
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        record(event.metadata(), line.0);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        let mut line = Line(format!("span {} begins", attributes.metadata().name()));
        attributes.record(&mut line);
        record(attributes.metadata(), line.0);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            record(span.metadata(), format!("span {} ends", span.name()));
        }
    }
}

fn record(metadata: &tracing::Metadata<'_>, message: String) {
    let (level, target) = (metadata.level().as_str(), metadata.target().to_owned());
    current::try_with(|world| {
        if world.events.is_some() {
            world.record(Kind::Log { level, target, message });
        }
    });
}

/// Runs `f` with the layer installed on this thread.
pub fn captured<R>(f: impl FnOnce() -> R) -> R {
    let subscriber = tracing_subscriber::registry().with(TraceLayer);
    tracing::subscriber::with_default(subscriber, f)
}

/// The log lines of a trace, stamped with virtual time and task.
pub fn lines(trace: &Trace) -> Vec<String> {
    let logs = trace.events.iter().filter(|event| matches!(event.kind, Kind::Log { .. }));
    let stamp = |event: &crate::trace::Event| {
        format!("{} {}", text::time(event.at), event.task.as_deref().unwrap_or("-"))
    };
    logs.map(|event| format!("{} {}", stamp(event), text::what(&event.kind))).collect()
}
