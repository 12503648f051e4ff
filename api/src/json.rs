//! JSON exactly as Python's `json.dumps(value, indent=2, separators=(',', ': '), sort_keys=True)` writes it: what is
//! not printable ASCII is escaped. Keys come sorted because the shapes declare their fields so.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The text of a value.
///
/// # Errors
/// When the value's own `Serialize` fails; those of this crate never do.
pub(crate) fn to_text(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut text, AsciiPretty(PrettyFormatter::new())))?;
    Ok(text)
}

/// Two spaces of indentation, and `\uXXXX` for every character beyond `~`.
struct AsciiPretty<'a>(PrettyFormatter<'a>);

impl Formatter for AsciiPretty<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(|character| character > '~') {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_text;

    #[test]
    fn layout_is_that_of_python() {
        let value = json!({"a": [1, "x"], "b": [], "c": {}, "d": {"e": null, "f": false}, "g": [[], {}]});
        let expected = concat!(
            "{\n  \"a\": [\n    1,\n    \"x\"\n  ],\n  \"b\": [],\n  \"c\": {},\n",
            "  \"d\": {\n    \"e\": null,\n    \"f\": false\n  },\n  \"g\": [\n    [],\n    {}\n  ]\n}"
        );
        assert_eq!(String::from_utf8(to_text(&value).unwrap()).unwrap(), expected);
    }

    #[test]
    fn everything_but_printable_ascii_is_escaped() {
        let text = to_text(&"q\" b\\ /~ \n\r\t\u{8}\u{c} \u{1}\u{1f} \u{7f} é\u{ffff} 😀.").unwrap();
        let expected = r#""q\" b\\ /~ \n\r\t\b\f \u0001\u001f \u007f \u00e9\uffff \ud83d\ude00.""#;
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let key = to_text(&json!({"é": ""})).unwrap();
        assert_eq!(String::from_utf8(key).unwrap(), "{\n  \"\\u00e9\": \"\"\n}");
    }
}
