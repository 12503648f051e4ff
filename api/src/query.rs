//! The query string: what clients may ask, parsed with the errors that they know.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::Query as Pairs;
use axum::http::Uri;
use ledger_types::AddressPrefix;

use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::limits::ApiLimits;
use crate::paging::PageRequest;

/// The decoded parameters. Of a name that stands twice, the first value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(BTreeMap<String, String>);

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the route lists by itself: newest block first, addresses ascending.
    Usual,
    /// The reverse of it.
    Reversed,
}

impl Query {
    /// Reads the query of a URI. Bytes that are not UTF-8 become replacement characters.
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs =
            Pairs::<Vec<(String, String)>>::try_from_uri(uri).map_or_else(|_| Vec::new(), |pairs| pairs.0);
        let mut first = BTreeMap::new();
        for (name, value) in pairs {
            first.entry(name).or_insert(value);
        }
        Self(first)
    }

    /// The value of a parameter; empty when it stands without one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All parameters, in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `start` and `limit`.
    ///
    /// # Errors
    /// 53 when `limit` is not an integer above zero.
    pub(crate) fn page(&self, limits: &ApiLimits) -> ApiResult<PageRequest> {
        let limit = self.get("limit").map(|text| text.trim().parse::<u64>()).transpose();
        match limit {
            Ok(Some(0)) | Err(_) => Err(ErrorKind::CountInvalid.into()),
            Ok(limit) => Ok(PageRequest::new(self.get("start").map(str::to_owned), limit, limits)),
        }
    }

    /// The id in `head`.
    ///
    /// # Errors
    /// 60 when it is not an id.
    pub(crate) fn head<T: FromStr>(&self) -> ApiResult<Option<T>> {
        self.get("head").map(parse_id).transpose()
    }

    /// The ids in `id`, in the client's order.
    ///
    /// # Errors
    /// 60 for the first that is not an id, 102 when there are too many.
    pub(crate) fn ids<T: FromStr>(&self, limits: &ApiLimits) -> ApiResult<Option<Vec<T>>> {
        self.get("id").map(|list| parse_ids(list.split(','), limits)).transpose()
    }

    /// The order in `reverse`: no value or the route's own sort key turn it round, `false` does not.
    ///
    /// # Errors
    /// 57 for any other value.
    pub(crate) fn order(&self, sort_key: &str) -> ApiResult<Order> {
        match self.get("reverse") {
            None => Ok(Order::Usual),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Order::Usual),
            Some(value) if value.is_empty() || value == sort_key => Ok(Order::Reversed),
            Some(_) => Err(ErrorKind::SortInvalid.into()),
        }
    }

    /// The height in `height`, which is not above the head's; the head's when there is none.
    ///
    /// # Errors
    /// 107 when it is none of a committed block.
    pub(crate) fn height(&self, head: u64) -> ApiResult<u64> {
        let Some(text) = self.get("height") else { return Ok(head) };
        let height = text.parse().ok().filter(|height| *height <= head && !text.starts_with('+'));
        height.ok_or_else(|| ApiError::invalid_height(text))
    }

    /// The prefixes of state addresses in `address`; none for everything.
    ///
    /// # Errors
    /// 62 when one is not the beginning of an address, 102 when there are too many.
    pub(crate) fn prefixes(&self, limits: &ApiLimits) -> ApiResult<Vec<String>> {
        let list = self.get("address").unwrap_or_default();
        let prefixes: Vec<_> = list.split(',').filter(|prefix| !prefix.is_empty()).collect();
        if prefixes.len() > limits.ids {
            return Err(ApiError::limit(ErrorKind::TooManyIds, limits.ids));
        }
        let parsed = prefixes.into_iter().map(str::parse::<AddressPrefix>);
        parsed
            .map(|prefix| {
                prefix.map(|prefix| prefix.to_string()).map_err(|_| ErrorKind::InvalidStateAddress.into())
            })
            .collect()
    }

    /// Whether a parameter asks for something: it stands without a value or with `true`.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.is_empty() || value.eq_ignore_ascii_case("true"))
    }

    /// How long the client wants to wait, in whole seconds, never more than the limit. No value, or one that is not
    /// an integer, asks for 95 hundredths of the limit, as upstream.
    pub(crate) fn wait(&self, limits: &ApiLimits) -> Option<Duration> {
        let text = self.get("wait").filter(|text| !text.eq_ignore_ascii_case("false"))?;
        let wanted = text.trim().parse().map_or(limits.wait_max * 95 / 100, Duration::from_secs);
        Some(wanted.min(limits.wait_max))
    }
}

/// Reads one id.
///
/// # Errors
/// 60 when the text is not an id.
pub(crate) fn parse_id<T: FromStr>(text: &str) -> ApiResult<T> {
    text.parse().map_err(|_| ApiError::invalid_id(text))
}

/// Reads ids in order.
///
/// # Errors
/// 60 for the first that is not an id, 102 when there are too many.
pub(crate) fn parse_ids<'a, T: FromStr>(
    texts: impl Iterator<Item = &'a str>,
    limits: &ApiLimits,
) -> ApiResult<Vec<T>> {
    let ids = texts.take(limits.ids.saturating_add(1)).map(parse_id).collect::<ApiResult<Vec<T>>>()?;
    if ids.len() > limits.ids {
        return Err(ApiError::limit(ErrorKind::TooManyIds, limits.ids));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledger_types::BatchId;

    use super::{Order, Query};
    use crate::error::ErrorKind;
    use crate::limits::ApiLimits;

    fn query(text: &str) -> Query {
        Query::of(&format!("/blocks?{text}").parse().unwrap())
    }

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let query = query("b=x%20y+z&a&b=2&c=%ff&d==&&e=%C3%A9");
        let pairs: Vec<_> = query.iter().collect();
        assert_eq!(pairs, [("a", ""), ("b", "x y z"), ("c", "\u{fffd}"), ("d", "="), ("e", "é")]);
    }

    #[test]
    fn a_limit_is_an_integer_above_zero() {
        let limits = ApiLimits::default();
        for bad in
            ["limit=0", "limit=-1", "limit=x", "limit=", "limit", "limit=1.5", "limit=99999999999999999999"]
        {
            assert_eq!(query(bad).page(&limits).unwrap_err().kind, ErrorKind::CountInvalid, "{bad}");
        }
        for (good, effective) in
            [("", 100), ("limit=7", 7), ("limit=+7", 7), ("limit=1000", 1_000), ("limit=1001", 1_000)]
        {
            assert_eq!(query(good).page(&limits).unwrap().items(), effective, "{good}");
        }
    }

    #[test]
    fn ids_are_128_lower_case_hex_characters() {
        let limits = ApiLimits { ids: 2, ..ApiLimits::default() };
        let (a, b) = (BatchId([0xab; 64]), BatchId([1; 64]));
        assert_eq!(query("").ids::<BatchId>(&limits), Ok(None));
        assert_eq!(query(&format!("id={b},{a}")).ids(&limits), Ok(Some(vec![b, a])));
        let upper = a.to_string().to_uppercase();
        for bad in ["id=", "id=abc", &format!("id={upper}"), &format!("id={a},"), &format!("id={a},,{b}")] {
            assert_eq!(
                query(bad).ids::<BatchId>(&limits).unwrap_err().kind,
                ErrorKind::InvalidResourceId,
                "{bad}"
            );
        }
        let many = query(&format!("id={a},{a},{a}")).ids::<BatchId>(&limits);
        assert_eq!(many.unwrap_err().kind, ErrorKind::TooManyIds);
    }

    #[test]
    fn reverse_takes_no_value_the_sort_key_or_false() {
        for (text, expected) in [
            ("", Ok(Order::Usual)),
            ("reverse", Ok(Order::Reversed)),
            ("reverse=", Ok(Order::Reversed)),
            ("reverse=block_num", Ok(Order::Reversed)),
            ("reverse=False", Ok(Order::Usual)),
            ("reverse=default", Err(ErrorKind::SortInvalid.into())),
            ("reverse=true", Err(ErrorKind::SortInvalid.into())),
        ] {
            assert_eq!(query(text).order("block_num"), expected, "{text}");
        }
    }

    #[test]
    fn a_wait_is_bounded() {
        let limits = ApiLimits { wait_max: Duration::from_secs(100), ..ApiLimits::default() };
        for (text, seconds) in [
            ("", None),
            ("wait=false", None),
            ("wait=FALSE", None),
            ("wait", Some(95)),
            ("wait=true", Some(95)),
            ("wait=-3", Some(95)),
            ("wait=0", Some(0)),
            ("wait=10", Some(10)),
            ("wait=101", Some(100)),
            ("wait=18446744073709551615", Some(100)),
        ] {
            assert_eq!(query(text).wait(&limits), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
