//! One number per type: the digests of its contention program over all seeds. It is the same in every build, with and
//! without the cargo feature `tokio`.

use super::{SEEDS, run};
use fatum::Sim;
use fatum::choice::fold;

type Golden = (&'static str, fn(&mut Sim), u64);

#[rustfmt::skip]
const GOLDEN: [Golden; 14] = [
    ("barrier", super::barrier::contention, 0x82cbad5df412defd),
    ("broadcast", super::broadcast::contention, 0x076996aace7ff07b),
    ("cancellation_token", super::cancellation_token::contention, 0xe602fa59fbd6a4a4),
    ("join", super::join::contention, 0x6a2b93f4e672db07),
    ("mpsc", super::mpsc::contention, 0x3ca8f4d9d7ffa217),
    ("mpsc_unbounded", super::mpsc::unbounded_contention, 0x5de1c3f096c33d2b),
    ("mutex", super::mutex::contention, 0x346e6b2163352461),
    ("notify", super::notify::contention, 0x033293a3eaf0fbbc),
    ("once_cell", super::once_cell::contention, 0x34caf935319eb33d),
    ("oneshot", super::oneshot::contention, 0xbc72a89f77c09314),
    ("rwlock", super::rwlock::contention, 0x1e552a991c8f8867),
    ("select", super::select::contention, 0x9b3b34ec67e29ef2),
    ("semaphore", super::semaphore::contention, 0x4396bb4bb3475ea6),
    ("watch", super::watch::contention, 0x118eba4e5977d598),
];

/// Folds the digests of all seeds, each of which is run twice and passes.
fn digest(name: &str, program: fn(&mut Sim)) -> u64 {
    (0..SEEDS).fold(0, |digest, seed| {
        let (first, second) = (run(seed, program), run(seed, program));
        assert!(first.end.is_passed(), "{name}, seed {seed}: {:?}", first.end);
        assert!(first.is_same(&second), "{name}, seed {seed} does not repeat");
        fold(fold(digest, first.digests.choice), first.digests.trace)
    })
}

#[test]
fn contention_repeats_and_gives_the_golden_digests() {
    let found: Vec<String> =
        GOLDEN.iter().map(|(name, program, _)| format!("{name} {:#018x}", digest(name, *program))).collect();
    let expected: Vec<String> =
        GOLDEN.iter().map(|(name, _, golden)| format!("{name} {golden:#018x}")).collect();
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn seeds_differ() {
    for (name, program, _) in GOLDEN {
        let first = run(0, program);
        assert!((1..20).any(|seed| run(seed, program).digests.trace != first.digests.trace), "{name}");
    }
}
