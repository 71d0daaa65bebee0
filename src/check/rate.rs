//! How often a sweep's runs fail, and what so many runs without a failure support.
//!
//! The interval is Wilson's (1927), at 95 %; without a failure it is the rule of three: fewer than 3 in N. Both assume
//! that the runs are independent draws, which seeds in a row are and the runs of an exhaustive or guided search are not.

use crate::trace::text::number;
use std::fmt;

/// The quantile of the normal distribution for 95 %, two-sided.
const Z: f64 = 1.96;

/// Failing runs of all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Runs that failed.
    pub failed: u64,
    /// All runs.
    pub runs: u64,
}

impl Rate {
    /// The share of failing runs at 95 %, from and to, each from 0 to 1. Without any run nothing is known.
    pub fn interval(self) -> (f64, f64) {
        if self.runs == 0 {
            return (0.0, 1.0);
        }
        let (failed, runs) = (self.failed as f64, self.runs as f64);
        if self.failed == 0 {
            return (0.0, (3.0 / runs).min(1.0));
        }
        let (share, spread) = (failed / runs, Z * Z / runs);
        let middle = share + spread / 2.0;
        let half = Z * (share * (1.0 - share) / runs + spread / (4.0 * runs)).sqrt();
        (((middle - half) / (1.0 + spread)).max(0.0), ((middle + half) / (1.0 + spread)).min(1.0))
    }
}

/// One in how many.
fn one_in(share: f64) -> u64 {
    (1.0 / share).round() as u64
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.interval();
        match self.failed {
            _ if self.runs == 0 => f.write_str("no run was made"),
            0 if self.runs <= 3 => write!(f, "no failure in {} runs, which says nothing", self.runs),
            0 => {
                let (runs, most) = (number(self.runs), number(one_in(to)));
                write!(
                    f,
                    "no failure in {runs} runs: at 95 % fewer than 1 in {most} fails, if runs are independent"
                )
            }
            failed => {
                let [about, most, least] =
                    [failed as f64 / self.runs as f64, to, from].map(|share| number(one_in(share)));
                write!(f, "about 1 in {about} (at 95 % 1 in {most} to {least})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wilson's interval of 10 in 100 is 0.0552 to 0.1744; of 1 in 1 it is 0.2065 to 1.
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (failed, runs, from, to) in
            [(10, 100, 0.0552, 0.1744), (1, 1, 0.2065, 1.0), (0, 300, 0.0, 0.01), (0, 0, 0.0, 1.0)]
        {
            let (low, high) = Rate { failed, runs }.interval();
            assert!(
                (low - from).abs() < 1e-4 && (high - to).abs() < 1e-4,
                "{failed} of {runs}: {low} {high}"
            );
        }
    }

    #[test]
    fn rates_are_told_as_one_in_so_many() {
        for (failed, runs, said) in [
            (10, 100, "about 1 in 10 (at 95 % 1 in 6 to 18)"),
            (
                0,
                3_000,
                "no failure in 3,000 runs: at 95 % fewer than 1 in 1,000 fails, if runs are independent",
            ),
            (0, 2, "no failure in 2 runs, which says nothing"),
            (0, 0, "no run was made"),
            (5, 5, "about 1 in 1 (at 95 % 1 in 1 to 2)"),
        ] {
            assert_eq!(Rate { failed, runs }.to_string(), said);
        }
    }
}
