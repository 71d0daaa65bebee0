//! What can be planted in the composition: mistakes between the systems, not in them.

/// A form of the composition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Variant {
    /// As it should be.
    #[default]
    Correct,
    /// A site is gone before its instance was told to go: after a crash in between nobody tells it.
    SiteGoesFirst,
    /// A part that does not do what it is for counts as none, also where it has to go: one that was stopped and not yet
    /// deleted when its host crashed stays.
    HalfRemovedIsGone,
}

impl Variant {
    pub(super) const NAMES: [&'static str; 3] = ["correct", "site-goes-first", "half-removed-is-gone"];
    const ALL: [Variant; 3] = [Variant::Correct, Variant::SiteGoesFirst, Variant::HalfRemovedIsGone];

    pub(super) fn named(name: &str) -> Variant {
        let place = Variant::NAMES.iter().position(|known| *known == name);
        Variant::ALL[place.expect("the name is one of the list")]
    }
}
