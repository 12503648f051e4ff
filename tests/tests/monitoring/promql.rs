//! What a PromQL expression asks for: its metrics and labels, as far as a test must know them. And what a scrape has.

use std::collections::{BTreeMap, BTreeSet};

/// A label and what it must be: `code=~"5.."`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    /// The label.
    pub(crate) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(crate) operator: String,
    /// What it is compared with.
    pub(crate) value: String,
}

/// A metric in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    /// The metric.
    pub(crate) metric: String,
    /// What stands in its braces.
    pub(crate) matchers: Vec<Matcher>,
}

/// What an expression asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// Its metrics, in order.
    pub(crate) selectors: Vec<Selector>,
    /// Labels that it groups or joins by.
    pub(crate) groups: BTreeSet<String>,
}

/// A word of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    /// A number or a duration.
    Number(String),
    /// An operator of one or two characters, or a bracket.
    Sign(String),
}

/// What is followed by labels in parentheses.
const GROUPS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that are neither metrics nor functions.
const WORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// Reads an expression.
///
/// # Errors
/// What does not belong there.
pub(crate) fn parse(expression: &str) -> Result<Query, String> {
    let tokens = tokens(expression)?;
    balanced(&tokens)?;
    let mut query = Query::default();
    let mut at = 0;
    let sign = |at: usize, sign: &str| tokens.get(at) == Some(&Token::Sign(sign.to_owned()));
    while at < tokens.len() {
        if let Token::Name(name) = &tokens[at] {
            if GROUPS.contains(&name.as_str()) {
                if sign(at + 1, "(") {
                    let names =
                        tokens[at + 2..].iter().take_while(|token| **token != Token::Sign(")".into()));
                    let labels = names.clone().filter_map(|token| match token {
                        Token::Name(label) => Some(label.clone()),
                        _ => None,
                    });
                    query.groups.extend(labels);
                    at += 2 + names.count();
                }
            } else if sign(at + 1, "{") {
                let (matchers, end) = matchers(&tokens, at + 2)?;
                query.selectors.push(Selector { metric: name.clone(), matchers });
                at = end;
            } else if !WORDS.contains(&name.as_str())
                && !sign(at + 1, "(")
                && !is_aggregation(&tokens, at + 1)
            {
                query.selectors.push(Selector { metric: name.clone(), matchers: Vec::new() });
            }
        }
        at += 1;
    }
    match query.selectors.is_empty() {
        true => Err(format!("no metric in {expression}")),
        false => Ok(query),
    }
}

/// Whether `by (...)` or `without (...)` follows: the name before is an aggregation.
fn is_aggregation(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at), Some(Token::Name(name)) if name == "by" || name == "without")
}

/// The matchers from a place behind an opening brace, and where the closing one is.
fn matchers(tokens: &[Token], mut at: usize) -> Result<(Vec<Matcher>, usize), String> {
    let mut found = Vec::new();
    loop {
        match &tokens[at..] {
            [Token::Sign(close), ..] if close == "}" => return Ok((found, at)),
            [Token::Sign(comma), ..] if comma == "," => at += 1,
            [Token::Name(label), Token::Sign(operator), Token::Text(value), ..]
                if ["=", "!=", "=~", "!~"].contains(&operator.as_str()) =>
            {
                found.push(Matcher {
                    label: label.clone(),
                    operator: operator.clone(),
                    value: value.clone(),
                });
                at += 3;
            }
            other => return Err(format!("no label matcher: {:?}", other.first())),
        }
    }
}

fn balanced(tokens: &[Token]) -> Result<(), String> {
    let mut open = Vec::new();
    for token in tokens {
        let Token::Sign(sign) = token else { continue };
        match sign.as_str() {
            "(" => open.push(")"),
            "{" => open.push("}"),
            "[" => open.push("]"),
            ")" | "}" | "]" if open.pop() != Some(sign) => return Err(format!("{sign} closes nothing")),
            _ => {}
        }
    }
    open.pop().map_or(Ok(()), |missing| Err(format!("{missing} is missing")))
}

fn tokens(expression: &str) -> Result<Vec<Token>, String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            let end = rest[1..].find('"').ok_or("a text without end")?;
            tokens.push(Token::Text(rest[1..=end].to_owned()));
            end + 2
        } else if is_name(first) || first == '.' {
            let is_word = |character: char| is_name(character) || character == '.';
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            let word = rest[..end].to_owned();
            let is_number = first.is_ascii_digit() || first == '.';
            tokens.push(if is_number { Token::Number(word) } else { Token::Name(word) });
            end
        } else {
            let two = rest.get(..2).filter(|two| ["==", "!=", ">=", "<=", "=~", "!~"].contains(two));
            let sign = two.unwrap_or(&rest[..first.len_utf8()]);
            if sign.len() == 1 && !"(){}[],+-*/%^=<>".contains(sign) || !sign.is_ascii() {
                return Err(format!("{sign:?} in {expression}"));
            }
            tokens.push(Token::Sign(sign.to_owned()));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// One line of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The metric, with the suffix of what it is: `_total`, `_bucket`.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its value.
    pub(crate) value: f64,
}

/// What a node tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrape(pub(crate) Vec<Sample>);

impl Scrape {
    /// Reads the OpenMetrics text of a node.
    ///
    /// # Panics
    /// When it is none.
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with("# EOF\n"), "the text has no end: {text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect())
    }

    /// The samples of a metric that have these labels.
    pub(crate) fn samples(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        let has = move |sample: &Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.0.iter().filter(move |sample| sample.name == name && has(sample))
    }

    /// The sum of the samples of a metric that have these labels, of which there must be some.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        assert!(self.samples(name, labels).next().is_some(), "no sample of {name} with {labels:?}");
        self.samples(name, labels).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}')?;
    // No value of ours has a quote.
    let mut read = BTreeMap::new();
    for label in labels.split("\",").filter(|label| !label.is_empty()) {
        let (label, value) = label.split_once("=\"")?;
        read.insert(label.to_owned(), value.trim_end_matches('"').to_owned());
    }
    Some(Sample { name: name.to_owned(), labels: read, value })
}

#[cfg(test)]
mod tests {
    use super::{Scrape, parse};

    fn metrics(expression: &str) -> Vec<String> {
        parse(expression).unwrap().selectors.into_iter().map(|selector| selector.metric).collect()
    }

    #[test]
    fn metrics_and_labels_are_found_and_functions_are_none() {
        let query = parse(
            "histogram_quantile(0.99, sum by (stage, le) (rate(a_bucket{stage=\"pool\",code=~\"5..\"}[5m])))",
        )
        .unwrap();
        assert_eq!(query.selectors.len(), 1);
        let matchers = &query.selectors[0].matchers;
        let expected = [("stage", "=", "pool"), ("code", "=~", "5..")];
        let found = matchers.iter().map(|it| (it.label.as_str(), it.operator.as_str(), it.value.as_str()));
        assert!(found.eq(expected), "{matchers:?}");
        assert_eq!(query.groups.into_iter().collect::<Vec<_>>(), ["le", "stage"]);
        for (expression, expected) in [
            ("a / on (x) group_left sum by (x) (rate(b[10m])) > 0.1", &["a", "b"][..]),
            ("a < b and a <= c or d > 1e3", &["a", "b", "a", "c", "d"]),
            ("-rate(a{}[1m] offset 5m)", &["a"]),
            ("sum(a) by (x)", &["a"]),
        ] {
            assert_eq!(metrics(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in ["", "sum(a", "a)", "a{x}", "a{x=y}", "a{x=\"y}", "rate(5m)", "a ? b", "a[5m)"] {
            assert!(parse(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_scrape_reads_back() {
        let scrape =
            Scrape::read("# HELP a b.\na 1\nb_total{x=\"/y/{id}\",z=\"q\"} 2.5\nb_total{x=\"v\"} 1\n# EOF\n");
        assert_eq!(scrape.0.len(), 3);
        assert!((scrape.sum("b_total", &[]) - 3.5).abs() < 1e-9);
        assert!((scrape.sum("b_total", &[("x", "/y/{id}"), ("z", "q")]) - 2.5).abs() < 1e-9);
        assert_eq!(scrape.samples("b_total", &[("x", "no")]).count(), 0);
    }
}
