//! Aligned tables for people. Data in, text out; it must not know what the columns mean.

pub(super) use crate::trace::text::number;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table of texts; cells are as wide as the widest of their column.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; as many cells as there are columns.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell per column");
        self.rows.push(cells);
    }

    /// The lines: the head, then the rows.
    pub(super) fn lines(&self) -> Vec<String> {
        let head: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |index: usize| all.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &&Vec<String>| {
            let cells =
                row.iter().zip(&self.columns).zip(&widths).map(|((cell, (_, align)), &width)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all.iter().map(line).collect()
    }
}

/// A duration in the largest unit that it fills: `12.5m`.
pub(super) fn duration(value: std::time::Duration) -> String {
    let seconds = value.as_secs_f64();
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s")];
    match units.into_iter().find(|(size, _)| seconds >= *size) {
        Some((size, unit)) => format!("{:.1}{unit}", seconds / size),
        None => format!("{:?}", std::time::Duration::from_millis(value.as_millis() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(vec!["a".to_owned(), "10".to_owned()]);
        table.row(vec!["longer".to_owned(), "9".to_owned()]);
        assert_eq!(table.lines(), ["name     n", "a       10", "longer   9"]);
    }

    #[test]
    fn numbers_and_durations_are_short() {
        for (value, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), expected);
        }
        for (value, expected) in [
            (Duration::ZERO, "0ns"),
            (Duration::from_millis(30), "30ms"),
            (Duration::from_millis(1_500), "1.5s"),
            (Duration::from_secs(90), "1.5m"),
            (Duration::from_secs(86_400 * 3), "3.0d"),
        ] {
            assert_eq!(duration(value), expected);
        }
    }
}
