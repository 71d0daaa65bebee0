//! What trials say together: expected values were computed by hand. The page keeps what is not replaced.

use super::programs::protocol::{Median, Trial, kaplan_meier, with_part};

/// Positive numbers are found, negative ones cut off.
fn trials(runs: &[i64]) -> Vec<Trial> {
    let trial =
        |runs: &i64| Trial { runs: runs.unsigned_abs(), found: (*runs > 0).then_some(0), strange: None };
    runs.iter().map(trial).collect()
}

fn check(runs: &[i64], at: Option<u64>, from: Option<u64>, to: Option<u64>) {
    assert_eq!(Median::of(&trials(runs)), Median { at, from, to }, "{runs:?}");
}

/// Six trials, of which those at 3 and 5 are cut off. At 1: 5/6. At 2: 5/6 * 4/5 = 2/3. At 4: three are left, one
/// finds: 2/3 * 2/3 = 4/9. At 6: one is left and finds: 0.
#[test]
fn survival_falls_by_the_share_of_those_who_are_left() {
    let curve = kaplan_meier(&trials(&[1, 2, -3, 4, -5, 6]));
    let expected = [(1, 5.0 / 6.0), (2, 2.0 / 3.0), (4, 4.0 / 9.0), (6, 0.0)];
    assert_eq!(curve.len(), expected.len());
    for (step, (runs, survival)) in curve.iter().zip(expected) {
        assert_eq!(step.runs, runs);
        assert!((step.survival - survival).abs() < 1e-12, "{step:?}");
    }
    // Greenwood at 4: 1/(6*5) + 1/(5*4) + 1/(3*2) = 2/60 + 3/60 + 10/60 = 1/4.
    assert!((curve[2].greenwood - 0.25).abs() < 1e-12, "{curve:?}");
}

/// One of each up to ten, all found: S(k) = (10-k)/10, and Greenwood's sum is 1/(10-k) - 1/10. The median is 5.
/// Lower band at 1: 0.9^exp(1.96 * sqrt(1/9 - 1/10) / -ln 0.9) = 0.9^exp(1.961) = 0.9^7.11 = 0.473: 1 is in.
/// Upper band at 7: 0.3^exp(-1.96 * 0.4830 / 1.2040) = 0.3^0.4555 = 0.578; at 8: 0.2^exp(-1.96 * 0.6325 / 1.6094)
/// = 0.2^0.4629 = 0.475: the interval ends at 8.
#[test]
fn the_interval_of_ten_is_as_computed_by_hand() {
    check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], Some(5), Some(1), Some(8));
}

/// Four of ten found: survival is 0.6 at the end, so no median. The lower band at 1 is 0.473 as above.
#[test]
fn where_less_than_half_find_it_there_is_no_median() {
    check(&[7, 8, 9, 10, -50, -50, -50, -50, -50, -50], None, Some(7), None);
    check(&[-50, -50], None, None, None);
}

/// All at the first run: survival falls to nothing at once, and nothing is known of its variance.
#[test]
fn what_is_always_found_at_once_has_no_upper_end() {
    check(&[1, 1, 1], Some(1), Some(1), None);
}

#[test]
fn a_part_of_the_page_is_replaced_and_the_rest_stays() {
    let page = with_part("", "a", "one\n");
    assert_eq!(page, "<!-- begin a -->\none\n<!-- end a -->\n");
    let page = with_part(&format!("# Title\n\n{page}\nbetween\n"), "b", "two\n");
    let both = "# Title\n\n<!-- begin a -->\none\n<!-- end a -->\n\nbetween\n\n<!-- begin b -->\ntwo\n<!-- end b -->\n";
    assert_eq!(page, both);
    assert_eq!(with_part(&page, "a", "three\n"), both.replace("one", "three"));
}
