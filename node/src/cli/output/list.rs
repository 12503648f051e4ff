use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value};

use super::cell::{Column, Row};
use super::format::Format;
use super::table::{Table, terminal_width};
use super::text::printable;
use super::yaml;

/// A list on its way out: rows are printed as they come, so that its length costs no memory.
pub(in crate::cli) struct List<'a> {
    out: &'a mut dyn Write,
    format: Format,
    columns: &'static [Column],
    /// Whether JSON and YAML hold the list as `data` beside the head.
    has_head: bool,
    table: Option<Table>,
    count: u64,
}

impl<'a> List<'a> {
    /// A list by itself.
    pub(in crate::cli) fn new(out: &'a mut dyn Write, format: Format, columns: &'static [Column]) -> Self {
        Self { out, format, columns, has_head: false, table: None, count: 0 }
    }

    /// A list that names the block it was read at.
    #[must_use]
    pub(in crate::cli) fn with_head(self) -> Self {
        Self { has_head: true, ..self }
    }

    /// Prints more rows.
    pub(in crate::cli) fn print(&mut self, rows: &[Row]) -> Result<()> {
        match self.format {
            Format::Default => self.print_table(rows)?,
            Format::Csv => self.print_csv(rows)?,
            Format::Json => rows.iter().try_for_each(|row| self.print_json(row))?,
            Format::Yaml => rows.iter().try_for_each(|row| self.print_yaml(row))?,
        }
        self.out.flush()?;
        Ok(())
    }

    /// Ends the list. The head is what a list [`List::with_head`] was read at.
    pub(in crate::cli) fn finish(mut self, head: Option<&str>) -> Result<()> {
        // A list without rows has its heading all the same.
        self.print(&[])?;
        let head = head.filter(|_| self.has_head);
        match self.format {
            Format::Default => {
                if let Some(head) = head {
                    writeln!(self.out, "HEAD BLOCK: \"{head}\"")?;
                }
            }
            Format::Csv => {
                if let Some(head) = head {
                    writeln!(self.out, "(data for head block: \"{head}\")")?;
                }
            }
            Format::Json => {
                let margin = if self.has_head { "  " } else { "" };
                let end = if self.count > 0 { format!("\n{margin}]") } else { self.json_start() + "]" };
                write!(self.out, "{end}")?;
                if self.has_head {
                    write!(self.out, ",\n  \"head\": {}\n}}", Value::from(head))?;
                }
                writeln!(self.out)?;
            }
            Format::Yaml => {
                match (self.count, self.has_head) {
                    (0, true) => writeln!(self.out, "data: []")?,
                    (0, false) => writeln!(self.out, "[]")?,
                    _ => {}
                }
                if self.has_head {
                    let head = Map::from_iter([("head".to_owned(), Value::from(head))]);
                    write!(self.out, "{}", yaml::to_text(&head.into()))?;
                }
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn headings(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.heading.to_owned()).collect()
    }

    fn print_table(&mut self, rows: &[Row]) -> Result<()> {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| printable(&cell.text())).collect()).collect();
        if self.table.is_none() {
            let headings = self.headings();
            let table = Table::fitting(&headings, &rows, terminal_width());
            table.print(self.out, &headings)?;
            self.table = Some(table);
        }
        let table = self.table.as_ref();
        rows.iter().try_for_each(|row| table.map_or(Ok(()), |table| table.print(self.out, row)))
    }

    fn print_csv(&mut self, rows: &[Row]) -> Result<()> {
        if self.count == 0 {
            writeln!(self.out, "{}", self.headings().join(","))?;
            self.count = 1;
        }
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| csv_field(&cell.text())).collect();
            writeln!(self.out, "{}", cells.join(","))?;
        }
        Ok(())
    }

    fn json_start(&self) -> String {
        if self.has_head { "{\n  \"data\": [".to_owned() } else { "[".to_owned() }
    }

    fn print_json(&mut self, row: &Row) -> Result<()> {
        let before = if self.count == 0 { self.json_start() } else { ",".to_owned() };
        let margin = if self.has_head { "\n    " } else { "\n  " };
        // Line breaks inside of strings are escaped: each one here begins a line of the layout.
        let item = serde_json::to_string_pretty(&self.object(row))?.replace('\n', margin);
        write!(self.out, "{before}{margin}{item}")?;
        self.count += 1;
        Ok(())
    }

    fn print_yaml(&mut self, row: &Row) -> Result<()> {
        if self.count == 0 && self.has_head {
            writeln!(self.out, "data:")?;
        }
        write!(self.out, "{}", yaml::item(&self.object(row)))?;
        self.count += 1;
        Ok(())
    }

    fn object(&self, row: &Row) -> Value {
        let members =
            self.columns.iter().zip(row).map(|(column, cell)| (column.key.to_owned(), cell.value()));
        Value::Object(members.collect())
    }
}

/// A field in quotes if it needs them (RFC 4180).
fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::cell::Cell;
    use super::{Column, Format, List, Row, csv_field};

    const COLUMNS: &[Column] = &[
        Column { key: "name", heading: "NAME" },
        Column { key: "size", heading: "SIZE" },
        Column { key: "data", heading: "DATA" },
    ];

    fn rows() -> [Row; 2] {
        [
            vec![Cell::Text("a\"b,c".into()), Cell::Number(2), Cell::Bytes(vec![0, 255])],
            vec![Cell::Text("d".into()), Cell::Number(0), Cell::Bytes(vec![])],
        ]
    }

    /// The rows one by one, as pages bring them.
    fn printed(format: Format, rows: &[Row], head: Option<&str>) -> String {
        let mut out = Vec::new();
        let list = List::new(&mut out, format, COLUMNS);
        let mut list = if head.is_some() { list.with_head() } else { list };
        rows.iter().for_each(|row| list.print(std::slice::from_ref(row)).unwrap());
        list.finish(head).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_and_csv_have_their_heading_once() {
        let table = printed(Format::Default, &rows(), Some("beef"));
        assert_eq!(
            table,
            "NAME   SIZE  DATA\na\"b,c  2     b'\\x00\\xff'\nd      0     b''\nHEAD BLOCK: \"beef\"\n"
        );
        let csv = printed(Format::Csv, &rows(), Some("beef"));
        let expected =
            "NAME,SIZE,DATA\n\"a\"\"b,c\",2,b'\\x00\\xff'\nd,0,b''\n(data for head block: \"beef\")\n";
        assert_eq!(csv, expected);
        assert_eq!(printed(Format::Default, &[], None), "NAME  SIZE  DATA\n");
        assert_eq!(printed(Format::Csv, &[], None), "NAME,SIZE,DATA\n");
    }

    #[test]
    fn a_csv_field_that_needs_quotes_has_them() {
        for (text, field) in [
            ("plain text; b'x'", "plain text; b'x'"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("a\rb", "\"a\rb\""),
        ] {
            assert_eq!(csv_field(text), field);
        }
    }

    #[test]
    fn json_is_what_a_printer_of_the_whole_would_write() {
        let items = json!([
            {"name": "a\"b,c", "size": 2, "data": "AP8="},
            {"name": "d", "size": 0, "data": ""},
        ]);
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
        assert_eq!(printed(Format::Json, &rows(), None), pretty(&items));
        assert_eq!(
            printed(Format::Json, &rows(), Some("beef")),
            pretty(&json!({"data": items, "head": "beef"}))
        );
        assert_eq!(printed(Format::Json, &[], None), "[]\n");
        assert_eq!(printed(Format::Json, &[], Some("beef")), pretty(&json!({"data": [], "head": "beef"})));
    }

    #[test]
    fn yaml_lists_items_with_dashes() {
        let items = "- data: AP8=\n  name: \"a\\\"b,c\"\n  size: 2\n- data: \"\"\n  name: d\n  size: 0\n";
        assert_eq!(printed(Format::Yaml, &rows(), None), items);
        assert_eq!(printed(Format::Yaml, &rows(), Some("beef")), format!("data:\n{items}head: beef\n"));
        assert_eq!(printed(Format::Yaml, &[], None), "[]\n");
        assert_eq!(printed(Format::Yaml, &[], Some("beef")), "data: []\nhead: beef\n");
    }
}
