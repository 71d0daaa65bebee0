//! Site labels and the stable hashes made of them: the same on every machine and in every release.

/// A site's stable label. Its hash selects the random stream of the site and is folded into the choice digest.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    name: &'static str,
    hash: u64,
}

impl Label {
    /// A label; `const`, so that built-in sites pay nothing.
    pub const fn new(name: &'static str) -> Label {
        Label { name, hash: hash_bytes(name.as_bytes()) }
    }

    /// The text.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The stable hash of the text.
    pub const fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Label) -> bool {
        self.hash == other.hash && self.name == other.name
    }
}

/// FNV-1a, 64 bits: stable, `const`, and good enough for labels.
pub const fn hash_bytes(bytes: &[u8]) -> u64 {
    hash_on(0xcbf2_9ce4_8422_2325, bytes)
}

/// The hash of a text that begins with one whose hash is known and goes on with `bytes`.
pub(crate) const fn hash_on(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// One folded multiply: the step of both digests.
#[inline]
pub const fn fold(state: u64, value: u64) -> u64 {
    let product = ((state ^ value) as u128) * 0x9e37_79b9_7f4a_7c15;
    (product as u64) ^ ((product >> 64) as u64) ^ state.rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_fnv_values() {
        assert_eq!(hash_bytes(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash_bytes(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash_bytes(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_text_may_be_hashed_in_pieces() {
        assert_eq!(hash_on(hash_bytes(b"foo"), b"bar"), hash_bytes(b"foobar"));
    }

    #[test]
    fn fold_depends_on_order() {
        let (ab, ba) = (fold(fold(1, 2), 3), fold(fold(1, 3), 2));
        assert_ne!(ab, ba);
    }
}
