//! The names of planted bugs, found alike in every system. It knows no system.

/// A name that is not a variant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no variant is called `{given}`; allowed are {}", allowed.join(", "))]
pub struct UnknownVariant {
    /// The name that was given.
    pub given: String,
    /// The names that there are.
    pub allowed: Vec<&'static str>,
}

/// The variant of a name.
///
/// # Errors
/// There is none.
pub(crate) fn named<V: Copy>(
    given: &str,
    all: &[V],
    name: impl Fn(V) -> &'static str,
) -> Result<V, UnknownVariant> {
    let found = all.iter().copied().find(|variant| name(*variant) == given);
    let allowed = || all.iter().map(|variant| name(*variant)).collect();
    found.ok_or_else(|| UnknownVariant { given: given.to_owned(), allowed: allowed() })
}
