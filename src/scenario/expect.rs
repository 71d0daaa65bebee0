//! What a scenario file expects of its sweep: that it passes, or that it fails in one way only.
//!
//! Separate because it is a small language of its own; it must not know how runs are made.

use super::System;
use crate::Error;
use crate::runtime::End;
use crate::scenario::Document;
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use toml::Spanned;

/// The expected outcome of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Every run passes, and all that must be reached is.
    Passed,
    /// Some run ends so, and no run fails in another way.
    Ends {
        /// The kind of end.
        kind: &'static str,
        /// The property, for kinds that have one.
        property: Option<&'static str>,
    },
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expect::Passed => f.write_str("passed"),
            Expect::Ends { kind, property } => f.write_str(&signature(kind, *property)),
        }
    }
}

/// An end in few words: `violated conservation`, `deadlock`.
pub(super) fn signature(kind: &str, property: Option<&str>) -> String {
    property.map_or_else(|| kind.to_owned(), |property| format!("{kind} {property}"))
}

/// As the file says it: a kind, or a table of kind and property.
#[derive(Debug)]
pub(super) struct Written {
    kind: Spanned<String>,
    property: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: Spanned<String>,
    property: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Written, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"passed\", or a table as in { kind = \"violated\", property = \"conservation\" }",
                )
            }

            fn visit_str<E: de::Error>(self, kind: &str) -> Result<Written, E> {
                Ok(Written { kind: Spanned::new(0..0, kind.to_owned()), property: None })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Written { kind: table.kind, property: table.property })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The kinds that have a property.
const JUDGED: [&str; 2] = ["violated", "not-converged"];

/// What the file means.
pub(super) fn resolve(
    written: Spanned<Written>,
    system: &dyn System,
    document: &Document,
) -> Result<Expect, Error> {
    let whole = written.span();
    let Written { kind, property } = written.into_inner();
    let place = if kind.span().is_empty() { whole.clone() } else { kind.span() };
    let found = End::KINDS.into_iter().find(|known| known == kind.get_ref());
    let kind =
        found.ok_or_else(|| document.at(place, Error::one_of("kind of end", kind.get_ref(), &End::KINDS)))?;
    match property {
        None if JUDGED.contains(&kind) => {
            let help =
                format!("as in {{ kind = \"{kind}\", property = \"{}\" }}", system.properties().join("|"));
            let error = Error::input(format!("`{kind}` needs the property that is broken")).help(help);
            Err(document.at(whole, error))
        }
        None if kind == "passed" => Ok(Expect::Passed),
        None => Ok(Expect::Ends { kind, property: None }),
        Some(property) if !JUDGED.contains(&kind) => {
            let error = Error::input(format!("`{kind}` has no property"));
            Err(document.at(property.span(), error.help(format!("only {} have", JUDGED.join(" and ")))))
        }
        Some(property) => {
            let known = system.properties().iter().find(|known| *known == property.get_ref());
            let name = known.ok_or_else(|| {
                let error = Error::one_of("property", property.get_ref(), system.properties());
                document.at(property.span(), error)
            })?;
            Ok(Expect::Ends { kind, property: Some(name) })
        }
    }
}
