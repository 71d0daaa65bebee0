//! Mutation of tapes, for fuzzers: each result is a tape that can be played.
//!
//! It draws from whatever the caller draws from, and knows no fuzzer.

use super::asked::Place;
use super::tape::{Deviation, Overtaken, Tape};

/// Numbers below a bound, from wherever chance comes from.
pub type Draw<'a> = dyn FnMut(u64) -> u64 + 'a;

/// Another tape than `tape`, but not by much: without one of its deviations, with another option at one, with a new
/// deviation at one of the `places` that runs asked about, or with a part of one of the `others`. A tape to which nothing
/// of that can be done stays as it is.
pub fn mutate(tape: &Tape, others: &[Tape], places: &[Place], draw: &mut Draw<'_>) -> Tape {
    let changed = match draw(8) {
        0 | 1 => without_one(tape, draw),
        2 => with_another_option(tape, places, draw),
        3 if !others.is_empty() => spliced(tape, &others[draw(others.len() as u64) as usize], draw),
        _ => None,
    };
    changed.or_else(|| with_one_more(tape, places, draw)).unwrap_or_else(|| tape.clone())
}

fn without_one(tape: &Tape, draw: &mut Draw<'_>) -> Option<Tape> {
    let deviations = tape.deviations();
    (deviations > 0).then(|| tape.without(draw(deviations) as usize, 1))
}

/// Another of the options that the place has, if it is known, else one of a few.
fn with_another_option(tape: &Tape, places: &[Place], draw: &mut Draw<'_>) -> Option<Tape> {
    let index = (!tape.choice.is_empty()).then(|| draw(tape.choice.len() as u64) as usize)?;
    let mut tape = tape.clone();
    let at = &mut tape.choice[index];
    let known = places.iter().find_map(|place| match place {
        Place::Choice { site, owner, occurrence, options }
            if (site, owner, occurrence) == (&at.site, &at.owner, &at.occurrence) =>
        {
            Some(options.as_slice())
        }
        Place::Choice { .. } | Place::Turn { .. } => None,
    });
    let options = known.unwrap_or(&[1, 2, 3, 4]);
    let others: Vec<u64> = options.iter().copied().filter(|option| *option != at.option).collect();
    at.option = *others.get(draw(others.len() as u64) as usize)?;
    Some(tape)
}

fn with_one_more(tape: &Tape, places: &[Place], draw: &mut Draw<'_>) -> Option<Tape> {
    let place = (!places.is_empty()).then(|| &places[draw(places.len() as u64) as usize])?;
    let mut tape = tape.clone();
    match place {
        Place::Turn { task, turn, by } => {
            let by = vec![by.get(draw(by.len() as u64) as usize)?.clone()];
            overtake(&mut tape, Overtaken { task: task.clone(), turn: *turn, by });
        }
        Place::Choice { site, owner, occurrence, options } => {
            let option = *options.get(draw(options.len() as u64) as usize)?;
            let (site, owner, occurrence) = (site.clone(), owner.clone(), *occurrence);
            deviate(&mut tape, Deviation { site, owner, occurrence, option });
        }
    }
    Some(tape)
}

/// The tape, and each deviation of the other one time in two.
fn spliced(tape: &Tape, other: &Tape, draw: &mut Draw<'_>) -> Option<Tape> {
    let mut spliced = tape.clone();
    for entry in other.schedule.iter().filter(|_| draw(2) == 0) {
        overtake(&mut spliced, entry.clone());
    }
    for entry in other.choice.iter().filter(|_| draw(2) == 0) {
        deviate(&mut spliced, entry.clone());
    }
    (spliced != *tape).then_some(spliced)
}

/// The turn is overtaken so, and no more as it was.
fn overtake(tape: &mut Tape, entry: Overtaken) {
    tape.schedule.retain(|old| (&old.task, old.turn) != (&entry.task, entry.turn));
    tape.schedule.push(entry);
}

/// The place deviates so, and no more as it did.
fn deviate(tape: &mut Tape, entry: Deviation) {
    let key = (&entry.site, &entry.owner, entry.occurrence);
    tape.choice.retain(|old| (&old.site, &old.owner, old.occurrence) != key);
    tape.choice.push(entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Stream;

    fn places() -> Vec<Place> {
        let choice = |occurrence| Place::Choice {
            site: "disk".into(),
            owner: "a".into(),
            occurrence,
            options: vec![1, 2, 5],
        };
        let turn = |turn| Place::Turn { task: "a".into(), turn, by: vec!["b".into(), "c".into()] };
        vec![choice(1), choice(2), turn(1), turn(2)]
    }

    #[test]
    fn every_mutation_of_a_tape_is_a_tape_that_can_be_played() {
        let mut stream = Stream::new(1, "mutate");
        let mut draw = |bound| stream.below(bound);
        let (mut tape, mut seen) = (Tape::default(), Vec::new());
        for _ in 0..5_000 {
            let next = mutate(&tape, &seen, &places(), &mut draw);
            assert_eq!(next.validate(), Ok(()));
            assert_eq!(Tape::parse(&next.to_toml(), std::path::Path::new("x")).unwrap(), next);
            assert!(next.choice.iter().all(|entry| [1, 2, 5].contains(&entry.option)), "{next:?}");
            seen = vec![tape, next.clone()];
            tape = next;
        }
    }

    /// By hand, from the tape `disk 1 of a = 1`.
    #[test]
    fn each_way_to_mutate_does_what_it_says() {
        let deviation =
            |occurrence, option| Deviation { site: "disk".into(), owner: "a".into(), occurrence, option };
        let tape = Tape { choice: vec![deviation(1, 1)], ..Tape::default() };
        let other = Tape { choice: vec![deviation(2, 5), deviation(1, 2)], ..Tape::default() };
        let overtaken = Overtaken { task: "a".into(), turn: 2, by: vec!["c".into()] };
        for (draws, expected) in [
            (vec![0, 0], Tape::default()),
            (vec![2, 0, 1], Tape { choice: vec![deviation(1, 5)], ..Tape::default() }),
            (vec![3, 0, 0, 0], Tape { choice: vec![deviation(2, 5), deviation(1, 2)], ..Tape::default() }),
            (vec![3, 0, 0, 1], Tape { choice: vec![deviation(1, 1), deviation(2, 5)], ..Tape::default() }),
            (vec![7, 1, 0], Tape { choice: vec![deviation(1, 1), deviation(2, 1)], ..Tape::default() }),
            (vec![7, 3, 1], Tape { schedule: vec![overtaken], ..tape.clone() }),
        ] {
            let mut left = draws.clone().into_iter();
            let mut draw = |bound: u64| left.next().filter(|drawn| *drawn < bound).unwrap_or(0);
            assert_eq!(
                mutate(&tape, std::slice::from_ref(&other), &places(), &mut draw),
                expected,
                "{draws:?}"
            );
        }
    }

    #[test]
    fn a_tape_to_which_nothing_can_be_done_stays() {
        for first in 0..8 {
            let mut draws = [first].into_iter();
            let mut draw = |_| draws.next().unwrap_or(0);
            assert_eq!(mutate(&Tape::default(), &[], &[], &mut draw), Tape::default());
        }
    }
}
