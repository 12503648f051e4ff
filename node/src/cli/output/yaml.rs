//! JSON values as YAML, laid out as PyYAML does in its block style.

use serde_json::Value;

use super::text::is_printable;

/// Words that YAML takes for something else than text.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// A document that ends with a newline.
pub(super) fn to_text(value: &Value) -> String {
    let mut text = String::new();
    match is_nested(value) {
        true => block(&mut text, value, 0),
        false => text = format!("{}\n", inline(value)),
    }
    text
}

/// One item of a sequence.
pub(super) fn item(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, &Value::Array(vec![value.clone()]), 0);
    text
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    }
}

/// Appends the lines of a list or a map that is not empty.
fn block(text: &mut String, value: &Value, indent: usize) {
    let margin = " ".repeat(indent);
    match value {
        Value::Array(items) => {
            for item in items {
                let start = text.len();
                match is_nested(item) {
                    // The item's first line begins behind the dash.
                    true => {
                        block(text, item, indent + 2);
                        text.replace_range(start..start + indent + 2, &format!("{margin}- "));
                    }
                    false => *text += &format!("{margin}- {}\n", inline(item)),
                }
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                *text += &format!("{margin}{}:", scalar(key));
                match is_nested(value) {
                    true => {
                        text.push('\n');
                        // A list stands under its key without more indentation.
                        block(text, value, if value.is_array() { indent } else { indent + 2 });
                    }
                    false => *text += &format!(" {}\n", inline(value)),
                }
            }
        }
        _ => *text += &format!("{margin}{}\n", inline(value)),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(string) => scalar(string),
        // Null, booleans, numbers, and what is empty look as in JSON.
        other => other.to_string(),
    }
}

/// Text as it is where nobody can take it for anything else, otherwise in double quotes.
fn scalar(string: &str) -> String {
    if is_plain(string) {
        return string.to_owned();
    }
    let mut text = String::from("\"");
    for character in string.chars() {
        match character {
            '"' => text += "\\\"",
            '\\' => text += "\\\\",
            '\n' => text += "\\n",
            '\r' => text += "\\r",
            '\t' => text += "\\t",
            _ if is_printable(character) => text.push(character),
            _ => text += &format!("\\U{:08x}", u32::from(character)),
        }
    }
    text.push('"');
    text
}

/// Whether YAML takes the bare text for nothing but text.
fn is_plain(string: &str) -> bool {
    // An id or a key: `e` alone would make it a number, and so would `b` behind a zero.
    let is_hex = string.bytes().all(|byte| byte.is_ascii_hexdigit()) && string.contains(['a', 'c', 'd', 'f']);
    let begins_well =
        string.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == '/');
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "_./@+=-".contains(character);
    let is_word = WORDS.iter().any(|word| string.eq_ignore_ascii_case(word));
    is_hex || begins_well && string.chars().all(is_safe) && !is_word
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_text;

    #[test]
    fn the_layout_is_that_of_pyyaml() {
        let value = json!({
            "a": [1, "x", [], {"k": "v", "l": [[2, 3], [4]]}],
            "b": {}, "c": null, "d": {"e": true},
        });
        let expected =
            "a:\n- 1\n- x\n- []\n- k: v\n  l:\n  - - 2\n    - 3\n  - - 4\nb: {}\nc: null\nd:\n  e: true\n";
        assert_eq!(to_text(&value), expected);
        assert_eq!(to_text(&json!([])), "[]\n");
        assert_eq!(to_text(&json!("text")), "text\n");
    }

    #[test]
    fn text_stays_text() {
        for (text, expected) in [
            ("plain_text-1.0/x=", "plain_text-1.0/x="),
            ("", r#""""#),
            ("0123", r#""0123""#),
            ("1e5", r#""1e5""#),
            ("0b11", r#""0b11""#),
            ("00e1d5", "00e1d5"),
            ("0xab", r#""0xab""#),
            ("No", r#""No""#),
            ("~", r#""~""#),
            ("- x", r#""- x""#),
            ("a: b", r#""a: b""#),
            ("tcp://127.0.0.1:1", r#""tcp://127.0.0.1:1""#),
            ("q\"\\\n\u{1b}\u{2028}ä", r#""q\"\\\n\U0000001b\U00002028ä""#),
        ] {
            assert_eq!(to_text(&json!(text)), format!("{expected}\n"));
        }
        assert_eq!(to_text(&json!({"": "", "2": 2})), "\"\": \"\"\n\"2\": 2\n");
    }
}
