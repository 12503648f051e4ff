//! Links as upstream writes them: the query begins with head, start and limit, the rest follows in order of names, a
//! name without a value stands alone, and nothing is percent-encoded.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::HOST;

use crate::query::Query;

/// Parameters that come first, in this order.
const LEADING: [&str; 3] = ["head", "start", "limit"];

/// `scheme://host` and the path that a proxy in front of the node took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// What the client sees, by the `Forwarded` header, else the `X-Forwarded-` ones, else the request itself.
    pub(crate) fn of(headers: &HeaderMap, is_over_tls: bool) -> Self {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
        let scheme = forwarded(headers, "proto", "x-forwarded-proto");
        let scheme = scheme.unwrap_or(if is_over_tls { "https" } else { "http" });
        let host = forwarded(headers, "host", "x-forwarded-host").unwrap_or(host);
        let path = forwarded(headers, "path", "x-forwarded-path").unwrap_or("");
        Self(format!("{scheme}://{host}{path}"))
    }

    /// A link to a path with the request's parameters, of which `changes` replace or join those of the same name.
    pub(crate) fn link(&self, path: &str, query: &Query, changes: &[(&str, &str)]) -> String {
        let mut parameters: BTreeMap<&str, &str> = query.iter().collect();
        parameters.extend(changes.iter().copied());
        let leading: Vec<_> =
            LEADING.into_iter().filter_map(|name| Some((name, parameters.remove(name)?))).collect();
        let mut link = format!("{}{path}", self.0);
        for (at, (name, value)) in leading.into_iter().chain(parameters).enumerate() {
            link.push(if at == 0 { '?' } else { '&' });
            link.push_str(name);
            if !value.is_empty() {
                link.push('=');
                link.push_str(value);
            }
        }
        link
    }
}

/// A value that a proxy forwards: `key=value` or `key="value"` in `Forwarded`, else the whole of the other header.
fn forwarded<'a>(headers: &'a HeaderMap, key: &str, header: &str) -> Option<&'a str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let found = text("forwarded").and_then(|value| forwarded_pair(value, key)).or_else(|| text(header));
    found.filter(|value| !value.is_empty())
}

/// The first value of a key in a `Forwarded` header.
fn forwarded_pair<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = header;
    loop {
        let (before, after) = rest.split_once('=')?;
        let name = before.rsplit([';', ',', ' ', '\t']).next().unwrap_or(before);
        let (value, end) = match after.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some((value, end)) => (value, end),
            None => after.split_at(after.find([';', ',', ' ', '\t']).unwrap_or(after.len())),
        };
        if name.eq_ignore_ascii_case(key) {
            return Some(value);
        }
        rest = end;
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Origin, forwarded_pair};
    use crate::query::Query;

    fn origin(headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Origin::of(&map, false).0
    }

    fn link(query: &str, changes: &[(&str, &str)]) -> String {
        let query = Query::of(&format!("/x?{query}").parse().unwrap());
        Origin("http://h:1".into()).link("/blocks", &query, changes)
    }

    #[test]
    fn head_start_and_limit_come_first() {
        assert_eq!(link("", &[]), "http://h:1/blocks");
        assert_eq!(
            link("reverse&limit=2&b=%20é&a=1", &[("start", "s"), ("head", "h")]),
            "http://h:1/blocks?head=h&start=s&limit=2&a=1&b= é&reverse"
        );
        assert_eq!(
            link("id=a,b&start=q", &[("head", "h"), ("start", ""), ("limit", "0")]),
            "http://h:1/blocks?head=h&start&limit=0&id=a,b"
        );
    }

    #[test]
    fn a_proxy_may_say_what_the_client_sees() {
        assert_eq!(origin(&[]), "http://localhost");
        assert_eq!(origin(&[("host", "n:8108")]), "http://n:8108");
        assert_eq!(
            origin(&[
                ("host", "n"),
                ("forwarded", "For=1.2.3.4; Proto=https;HOST=\"a.b:1\";path=\"/api/v1\"")
            ]),
            "https://a.b:1/api/v1"
        );
        assert_eq!(
            origin(&[
                ("host", "n"),
                ("x-forwarded-host", "a.b"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-path", "/api"),
            ]),
            "https://a.b/api"
        );
        let both = [
            ("host", "n"),
            ("forwarded", "host=one"),
            ("x-forwarded-host", "two"),
            ("x-forwarded-proto", "ws"),
        ];
        assert_eq!(origin(&both), "ws://one");
        assert_eq!(origin(&[("host", "n"), ("x-forwarded-host", "")]), "http://n");
    }

    #[test]
    fn forwarded_headers_of_any_form_are_read() {
        for (header, expected) in [
            ("host=a, host=b", Some("a")),
            ("for=\"x;host=evil\";host=good", Some("good")),
            ("xhost=a;host=b", Some("b")),
            ("host", None),
            ("", None),
            ("=;==,host=", Some("")),
            ("host=\"open", Some("\"open")),
        ] {
            assert_eq!(forwarded_pair(header, "host"), expected, "{header}");
        }
    }
}
