//! Figures of several runs: medians with their spread, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// The median of some values, with the least and the greatest of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// All, in the order of the runs.
    pub runs: Vec<f64>,
}

impl Spread {
    /// Of these values; `None` of none.
    pub fn of(runs: Vec<f64>) -> Option<Self> {
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Some(Self { median, min, max, runs })
    }
}

/// What one run measured, by names that tell the unit, in the order in which somebody wants to read them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    /// Adds a figure that is not there.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// The figure of a name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find_map(|(it, value)| (it == name).then_some(value))
    }

    /// The figures, as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl<const N: usize> From<[(&str, f64); N]> for Figures {
    fn from(figures: [(&str, f64); N]) -> Self {
        Self(figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// What several runs of the same kind measured: one line of the file that `--json` names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was measured and how, by name.
    pub setting: BTreeMap<String, String>,
    /// What came out, by name.
    pub figures: BTreeMap<String, Spread>,
    /// The names, as they were added.
    #[serde(skip)]
    order: Vec<String>,
}

impl Summary {
    /// The medians of runs. A figure that not all of them have is the median of those that do.
    pub fn of(setting: &[(&str, String)], runs: &[Figures]) -> Self {
        let (mut values, mut order) = (BTreeMap::<String, Vec<f64>>::new(), Vec::new());
        for (name, value) in runs.iter().flat_map(Figures::iter) {
            let values = values.entry(name.to_owned()).or_insert_with(|| {
                order.push(name.to_owned());
                Vec::new()
            });
            values.push(value);
        }
        let figures =
            values.into_iter().filter_map(|(name, values)| Some((name, Spread::of(values)?))).collect();
        let setting = setting.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { setting, figures, order }
    }

    /// The figures in their order, parts of another figure (`NAME/PART`) left out.
    pub fn whole(&self) -> impl Iterator<Item = (&str, &Spread)> {
        let names = self.order.iter().filter(|name| !name.contains('/'));
        names.filter_map(|name| Some((name.as_str(), self.figures.get(name)?)))
    }

    /// The figures that are parts of another one, as (NAME, PART, ..).
    fn parts(&self) -> impl Iterator<Item = (&str, &str, &Spread)> {
        self.figures.iter().filter_map(|(name, spread)| {
            let (whole, part) = name.split_once('/')?;
            Some((whole, part, spread))
        })
    }

    /// The median of a figure.
    ///
    /// # Panics
    /// When no run had it.
    pub fn median(&self, name: &str) -> f64 {
        self.figures.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.figures)).median
    }
}

/// One line a figure; parts of another figure (`NAME/PART`) stand behind all others, on one line.
impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, spread) in self.whole() {
            write!(f, "    {name:<34} {:>10}", Short(spread.median))?;
            match spread.runs.len() {
                1 => writeln!(f)?,
                _ => writeln!(f, "   {} to {}", Short(spread.min), Short(spread.max))?,
            }
        }
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, part, spread) in self.parts().filter(|(_, _, spread)| spread.median >= 0.5) {
            groups.entry(name).or_default().push(format!("{part} {}", Short(spread.median)));
        }
        for (name, parts) in groups {
            writeln!(f, "    {name}: {}", parts.join(", "))?;
        }
        Ok(())
    }
}

/// A value in as many digits as somebody reads.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            large if large >= 100.0 => 0,
            middle if middle >= 10.0 => 1,
            middle if middle >= 1.0 => 2,
            _ => 3,
        };
        f.pad(&format!("{:.digits$}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Short, Spread, Summary};

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of(vec![]), None);
        let spread = |values: &[f64]| {
            let spread = Spread::of(values.to_vec()).unwrap();
            assert_eq!(spread.runs, values, "the order of the runs stays");
            (spread.median, spread.min, spread.max)
        };
        assert_eq!(spread(&[7.0]), (7.0, 7.0, 7.0));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), (2.0, 1.0, 9.0));
        assert_eq!(spread(&[9.0, 1.0, 2.0, 4.0]), (3.0, 1.0, 9.0));
    }

    #[test]
    fn a_summary_has_every_figure_of_every_run() {
        let runs = [
            Figures::from([("tx", 1.0), ("cpu/net", 10.0)]),
            Figures::from([("tx", 3.0), ("cpu/net", 30.0), ("cpu/idle", 0.1)]),
            Figures::from([("tx", 200.0), ("late", 5.0)]),
        ];
        let summary = Summary::of(&[("shape", "1x4".to_owned())], &runs);
        assert_eq!(summary.median("tx"), 3.0);
        assert_eq!(summary.median("cpu/net"), 20.0);
        let printed = summary.to_string();
        let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
        let expected =
            [vec!["tx", "3.00", "1.00", "to", "200"], vec!["late", "5.00"], vec!["cpu:", "net", "20.0"]];
        assert_eq!(lines, expected, "in the order of the runs");
        let line = serde_json::to_string(&summary).unwrap();
        let read: Summary = serde_json::from_str(&line).unwrap();
        assert_eq!((read.setting, read.figures), (summary.setting, summary.figures));
    }

    #[test]
    fn values_have_three_digits_or_all_before_the_point() {
        let printed = [12_345.6, 99.96, 3.217, 0.4567].map(|value| Short(value).to_string());
        assert_eq!(printed, ["12346", "100.0", "3.22", "0.457"]);
    }
}
