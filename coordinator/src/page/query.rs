//! What may be asked of the page, in its address: `page`, `rows`, `q` (part of a name) and `refresh`.

use std::fmt;

use shared::identity::shorten;

/// Groups on a page when nobody says: a screen and a half.
const ROWS_DEFAULT: usize = 50;
/// The most: what a browser still lays out at once. Programs may ask `/status.json` for more, see [`ROWS_MAX_JSON`].
const ROWS_MAX: usize = 500;
/// The most that one answer in JSON holds: some MB.
const ROWS_MAX_JSON: usize = 5_000;
/// A page looks again so often when nobody says, s: a round takes from seconds to minutes.
const REFRESH_DEFAULT_S: u32 = 15;
/// The range that may be asked for, s.
const REFRESH_S: std::ops::RangeInclusive<u32> = 5..=3_600;
/// The longest text to look for, bytes: a namespace and a name.
const SEARCH_BYTES_MAX: usize = 256;
/// The most pages: 10,000 groups, one a page.
const PAGE_MAX: usize = 10_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which page of groups, from 1.
    pub page: usize,
    /// Groups on a page.
    pub rows: usize,
    /// What groups' names must contain, as typed; empty is everything.
    pub search: String,
    /// The page looks again after this, s; none: never.
    pub refresh_s: Option<u32>,
}

/// Which answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The page.
    Html,
    /// The document.
    Json,
}

/// What is asked for makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} `{value}` is not valid: it must be {rule}")]
pub struct BadQuery {
    /// Which part of the address.
    field: String,
    /// What stood there, shortened.
    value: String,
    /// What it must be.
    rule: String,
}

impl Query {
    /// Reads what stands behind the `?`.
    pub fn parse(text: &str, form: Form) -> Result<Self, BadQuery> {
        let (rows_default, rows_max) = match form {
            Form::Html => (ROWS_DEFAULT, ROWS_MAX),
            Form::Json => (ROWS_MAX, ROWS_MAX_JSON),
        };
        let mut query = Self { page: 1, rows: rows_default, search: String::new(), refresh_s: Some(REFRESH_DEFAULT_S) };
        for (field, value) in form_urlencoded::parse(text.as_bytes()) {
            match field.as_ref() {
                "page" => query.page = number(&field, &value, 1..=PAGE_MAX)?,
                "rows" => query.rows = number(&field, &value, 1..=rows_max)?,
                "q" if value.len() <= SEARCH_BYTES_MAX => value.trim().clone_into(&mut query.search),
                "q" => return Err(bad(&field, &value, format!("at most {SEARCH_BYTES_MAX} bytes long"))),
                "refresh" if value == "off" => query.refresh_s = None,
                "refresh" => {
                    let (least, most) = (*REFRESH_S.start(), *REFRESH_S.end());
                    let seconds = value.parse().ok().filter(|seconds| REFRESH_S.contains(seconds));
                    let rule = || format!("off, or a number of seconds from {least} to {most}");
                    query.refresh_s = Some(seconds.ok_or_else(|| bad(&field, &value, rule()))?);
                }
                // What others add to links (trackers of mail programs, for instance) is none of ours.
                _ => {}
            }
        }
        Ok(query)
    }

    /// Whether one of a group's names contains what is looked for. Kubernetes' names are lower case.
    pub fn asks_for(&self, names: &[&str]) -> bool {
        let wanted = self.search.to_lowercase();
        wanted.is_empty()
            || names.iter().any(|name| name.contains(&wanted))
            || names.split_first().is_some_and(|(namespace, rest)| {
                wanted.split_once('/').is_some_and(|(first, second)| {
                    namespace.contains(first) && rest.iter().any(|name| name.contains(second))
                })
            })
    }

    /// An address with another page.
    pub fn with_page(&self, page: usize) -> String {
        Self { page, ..self.clone() }.to_string()
    }

    /// The same page, that looks again, or does not.
    pub fn with_refresh(&self, on: bool) -> String {
        Self { refresh_s: on.then_some(REFRESH_DEFAULT_S), ..self.clone() }.to_string()
    }
}

impl fmt::Display for Query {
    /// As an address relative to the page, which may lie below any prefix (behind `kubectl proxy`, for instance).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = form_urlencoded::Serializer::new(String::new());
        if !self.search.is_empty() {
            text.append_pair("q", &self.search);
        }
        if self.page != 1 {
            text.append_pair("page", &self.page.to_string());
        }
        if self.rows != ROWS_DEFAULT {
            text.append_pair("rows", &self.rows.to_string());
        }
        match self.refresh_s {
            Some(REFRESH_DEFAULT_S) => {}
            Some(seconds) => drop(text.append_pair("refresh", &seconds.to_string())),
            None => drop(text.append_pair("refresh", "off")),
        }
        write!(f, "?{}", text.finish())
    }
}

fn number(field: &str, value: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, BadQuery> {
    let (least, most) = (*range.start(), *range.end());
    let rule = || format!("a whole number from {least} to {most}");
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| bad(field, value, rule()))
}

fn bad(field: &str, value: &str, rule: String) -> BadQuery {
    BadQuery { field: field.to_owned(), value: shorten(value), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_and_written_back() {
        let query = Query::parse("q=prod%2Fdb&page=3&refresh=off&utm_source=mail", Form::Html).unwrap();
        assert_eq!((query.page, query.search.as_str(), query.refresh_s), (3, "prod/db", None));
        assert_eq!(query.to_string(), "?q=prod%2Fdb&page=3&refresh=off");
        assert_eq!(query.with_page(1), "?q=prod%2Fdb&refresh=off");
        assert_eq!(query.with_refresh(true), "?q=prod%2Fdb&page=3");
        assert_eq!(Query::parse("", Form::Html).unwrap().to_string(), "?");
        let hostile = Query::parse("q=%22%3E%3Cscript%3E%26", Form::Html).unwrap();
        assert_eq!(hostile.to_string(), "?q=%22%3E%3Cscript%3E%26");
    }

    #[test]
    fn nonsense_names_field_value_and_rule() {
        for (text, expected) in [
            ("page=0", "page `0` is not valid: it must be a whole number from 1 to 10000"),
            ("page=-1", "page `-1` is not valid"),
            ("rows=501", "rows `501` is not valid: it must be a whole number from 1 to 500"),
            ("refresh=4", "refresh `4` is not valid: it must be off, or a number of seconds from 5 to 3600"),
            ("refresh=soon", "refresh `soon` is not valid"),
        ] {
            let error = Query::parse(text, Form::Html).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let long = Query::parse(&format!("q={}", "x".repeat(300)), Form::Html).unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
        assert_eq!(Query::parse("rows=5000", Form::Json).unwrap().rows, 5_000);
    }

    #[test]
    fn a_name_or_a_part_of_both() {
        let asks = |search: &str| Query { search: search.to_owned(), ..Query::parse("", Form::Html).unwrap() };
        let names = ["prod", "orders-db", "group-1a2b3c4d"];
        for (search, expected) in [("", true), ("ORDERS", true), ("prod/db", true), ("1a2b", true), ("db/prod", false)]
        {
            assert_eq!(asks(search).asks_for(&names), expected, "{search}");
        }
    }
}
