//! `cover!`: declared states, counted per run and per sweep.

use fatum::check::Check;
use fatum::{Run, Sim, rand};

fn run(program: impl Fn(&mut Sim)) -> Run {
    let mut sim = Sim::new(3);
    program(&mut sim);
    sim.finish()
}

#[test]
fn states_are_told_apart_by_label_and_values() {
    let states = |declare: fn()| run(|sim| sim.run(async move { declare() })).states.len();
    for (expected, declare) in [
        (0, (|| ()) as fn()),
        (1, || fatum::cover!("a")),
        (1, || (0..5).for_each(|_| fatum::cover!("a", 1u8))),
        (2, || [1u64, 2, 1].into_iter().for_each(|value| fatum::cover!("a", value))),
        (2, || ["x"; 2].into_iter().zip([true, false]).for_each(|(_, value)| fatum::cover!("a", value))),
        (4, || {
            fatum::cover!("a", 1i32, 2i32);
            fatum::cover!("a", 2i32, 1i32);
            fatum::cover!("b", 1i32, 2i32);
            fatum::cover!("a", 1i32);
        }),
    ] {
        assert_eq!(states(declare), expected);
    }
}

#[test]
fn outside_a_simulation_nothing_is_evaluated() {
    fn never() -> u64 {
        panic!("it is evaluated")
    }
    fatum::cover!("outside", never());
}

#[test]
fn a_declaration_changes_nothing_in_a_run() {
    let program = |declares: bool| {
        move |sim: &mut Sim| {
            sim.run(async move {
                for _ in 0..20 {
                    let drawn = rand::rng().below(4);
                    if declares {
                        fatum::cover!("drawn", drawn);
                    }
                    fatum::task::yield_point("there").await;
                }
            });
        }
    };
    let (with, without) = (run(program(true)), run(program(false)));
    assert!(with.is_same(&without));
    assert_eq!((with.states.len(), without.states.len()), (4, 0));
}

#[test]
fn a_sweep_counts_the_distinct_states_of_all_runs() {
    let check = Check { failures_dir: None, ..Check::new("states").runs(300) };
    let program = |sim: &mut Sim| sim.run(async { fatum::cover!("drawn", rand::rng().below(6)) });
    for jobs in [1, 2] {
        assert_eq!(check.clone().jobs(jobs).sweep(program, &|_| {}).unwrap().states, 6);
    }
}
