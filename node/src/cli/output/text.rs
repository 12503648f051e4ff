//! Text that a terminal or another program can take as it is.

use std::fmt::Write as _;

/// Bytes as Python prints them, `b'\xa1c'`, which is what the `sawtooth` command shows of payloads and values.
pub(in crate::cli) fn python_bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for byte in bytes {
        match byte {
            b'\\' => text += "\\\\",
            b'\t' => text += "\\t",
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b' '..=b'~' if char::from(*byte) == quote => _ = write!(text, "\\{quote}"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => _ = write!(text, "\\x{byte:02x}"),
        }
    }
    text.push(quote);
    text
}

/// Text in which nothing moves the cursor or changes colours, whatever a stranger wrote into it.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_printable(character) {
            true => shown.push(character),
            false => shown.extend(character.escape_default()),
        }
    }
    shown
}

/// Whether a character is shown as itself: no control character, and none that changes the order of the others.
pub(super) fn is_printable(character: char) -> bool {
    let is_special = matches!(character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}');
    !character.is_control() && !is_special
}

#[cfg(test)]
mod tests {
    use super::{printable, python_bytes};

    #[test]
    fn bytes_look_as_in_python() {
        for (bytes, text) in [
            (&b""[..], "b''"),
            (b"abc ~", "b'abc ~'"),
            (b"\xa1\x00\x7f\n\r\t\\", r"b'\xa1\x00\x7f\n\r\t\\'"),
            (b"it's", "b\"it's\""),
            (b"it's \"so\"", "b'it\\'s \"so\"'"),
        ] {
            assert_eq!(python_bytes(bytes), text);
        }
    }

    #[test]
    fn a_terminal_is_never_steered() {
        assert_eq!(printable("\u{1b}[2Jä\n\u{202e}x"), "\\u{1b}[2Jä\\n\\u{202e}x");
    }
}
