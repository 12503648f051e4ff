//! Which other sites' pages may call this node from a browser.

use axum::http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::limits::Cors;

impl Cors {
    /// What adds the headers to answers; `None` when there are none to add. An origin that no header can hold is left out.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let origins = match self {
            Self::Off => return None,
            Self::Any => AllowOrigin::any(),
            Self::Origins(origins) => {
                AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
            }
        };
        let headers = [CONTENT_TYPE, HeaderName::from_static("last-event-id")];
        Some(
            CorsLayer::new()
                .allow_origin(origins)
                .allow_methods([Method::GET, Method::POST])
                .allow_headers(headers),
        )
    }

    /// Whether the page behind a request may open a WebSocket. Browsers do not ask for those beforehand, but they always
    /// say whose page it is.
    pub(crate) fn permits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let (Some(origin), host) = (text(origin), headers.get(HOST).and_then(text)) else { return false };
        let is_own = origin.split_once("://").map(|(_, authority)| authority) == host.as_deref();
        is_own
            || match self {
                Self::Off => false,
                Self::Any => true,
                Self::Origins(origins) => origins.contains(&origin),
            }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use crate::limits::Cors;

    #[test]
    fn a_web_socket_is_for_own_pages_and_permitted_ones() {
        let some = Cors::Origins(vec!["https://a.example".into()]);
        for (origin, off, listed) in [
            (None, true, true),
            (Some("http://node:8108"), true, true),
            (Some("https://a.example"), false, true),
            (Some("https://b.example"), false, false),
            (Some("node:8108"), false, false),
            (Some("null"), false, false),
        ] {
            let mut headers =
                HeaderMap::from_iter([(axum::http::header::HOST, HeaderValue::from_static("node:8108"))]);
            headers
                .extend(origin.map(|origin| (axum::http::header::ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(Cors::Off.permits(&headers), off, "{origin:?}");
            assert_eq!(some.permits(&headers), listed, "{origin:?}");
            assert!(Cors::Any.permits(&headers));
        }
    }
}
