//! Aligned columns, two spaces between them.

use std::io::{IsTerminal as _, Write};

use anyhow::Result;

/// Spaces between columns.
const GUTTER: usize = 2;
/// What a last column that does not fit ends with.
const MORE: &str = "...";

/// A table whose widths come from its first rows; later ones that are wider stay whole.
pub(super) struct Table {
    widths: Vec<usize>,
    /// Columns of the terminal; `None` when the output goes elsewhere, which always gets whole values.
    terminal: Option<usize>,
}

impl Table {
    /// A table that fits a heading and rows.
    pub(super) fn fitting(heading: &[String], rows: &[Vec<String>], terminal: Option<usize>) -> Self {
        let width = |at: usize| {
            let cells = std::iter::once(heading).chain(rows.iter().map(Vec::as_slice));
            cells.filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        Self { widths: (0..heading.len()).map(width).collect(), terminal }
    }

    /// Prints one row.
    pub(super) fn print(&self, out: &mut dyn Write, row: &[String]) -> Result<()> {
        let Some((last, cells)) = row.split_last() else { return Ok(()) };
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            line += &format!("{cell:<width$}{:GUTTER$}", "");
        }
        line += &self.last_cell(last, line.chars().count());
        writeln!(out, "{}", line.trim_end())?;
        Ok(())
    }

    /// The last cell, cut short where the terminal's line ends.
    fn last_cell(&self, cell: &str, before: usize) -> String {
        let Some(terminal) = self.terminal else { return cell.to_owned() };
        let room = terminal.saturating_sub(before).max(MORE.len() + 1);
        if cell.chars().count() <= room {
            return cell.to_owned();
        }
        cell.chars().take(room - MORE.len()).chain(MORE.chars()).collect()
    }
}

/// The columns of the terminal that standard output is, if it is one.
pub(super) fn terminal_width() -> Option<usize> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn printed(terminal: Option<usize>) -> String {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let (heading, rows) =
            (row(["NUM", "ID", "SIGNER"]), [row(["0", "abcd", "0123456789"]), row(["10", "e", ""])]);
        let table = Table::fitting(&heading, &rows, terminal);
        let mut out = Vec::new();
        for row in std::iter::once(&heading).chain(&rows) {
            table.print(&mut out, row).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_under_their_names() {
        assert_eq!(printed(None), "NUM  ID    SIGNER\n0    abcd  0123456789\n10   e\n");
        assert_eq!(printed(Some(21)), printed(None));
    }

    #[test]
    fn only_a_terminal_cuts_the_last_column() {
        assert_eq!(printed(Some(18)), "NUM  ID    SIGNER\n0    abcd  0123...\n10   e\n");
        assert_eq!(printed(Some(1)), "NUM  ID    S...\n0    abcd  0...\n10   e\n");
    }
}
