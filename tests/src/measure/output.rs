//! What the benchmarks are told, and where their figures go.
#![allow(clippy::print_stdout, reason = "benchmarks print")]

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Figures, Summary};

/// The words after the name of the benchmark, without what cargo adds.
pub fn words() -> impl Iterator<Item = String> {
    std::env::args().filter(|word| word != "--bench")
}

/// A number from the environment, or this one.
///
/// # Panics
/// When the environment has something else there.
pub fn number_from_env<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

/// Prints summaries, and writes each as a line of JSON to a file if there is one.
#[derive(Debug)]
pub struct Output {
    file: Option<(PathBuf, File)>,
    /// Stands in every line.
    bench: &'static str,
}

impl Output {
    /// Of a benchmark; lines are appended to the file.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn new(bench: &'static str, path: Option<&Path>) -> Self {
        let open = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            (path.to_owned(), file.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        Self { bench, file: path.map(open) }
    }

    /// Shows what runs of one kind measured.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn show(&mut self, title: &str, setting: &[(&str, String)], runs: &[Figures]) -> Summary {
        let named = [("bench", self.bench.to_owned()), ("title", title.to_owned())];
        let summary = Summary::of(&[&named, setting].concat(), runs);
        println!("  {title}\n{summary}");
        if let Some((path, file)) = &mut self.file {
            let line = serde_json::to_string(&summary).expect("invariant: plain data");
            writeln!(file, "{line}").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Output, Summary};

    #[test]
    fn every_summary_is_a_line_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        for run in [1.0, 2.0] {
            let mut output = Output::new("some", Some(&path));
            output.show("two runs", &[("shape", "1x4".to_owned())], &[Figures::from([("tx", run)])]);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Summary> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.iter().map(|line| line.median("tx")).collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!((read[0].setting["bench"].as_str(), read[0].setting["shape"].as_str()), ("some", "1x4"));
    }
}
