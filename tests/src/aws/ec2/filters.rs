//! Which resources does a `Describe…` ask for, and which of them are on this page?

use std::collections::BTreeMap;

use super::form::Form;
use super::refusal::Refusal;

/// Fewest and most results of a page, where a client asks for pages (`DescribeSnapshots`, `DescribeVolumes`, `DescribeTags`).
const PAGE_RESULTS: std::ops::RangeInclusive<usize> = 5..=1_000;

/// A resource must have one of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

/// All filters of a request: a resource must pass each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters(Vec<Filter>);

/// What filters can look at; `None`: a filter of this name is not known.
pub(super) trait Filtered {
    /// The resource's values for a filter's name.
    fn values(&self, name: &str) -> Option<Vec<&str>>;
}

impl Filters {
    /// Reads `Filter.1.Name`, `Filter.1.Value.1`, …
    pub(super) fn of(form: &mut Form) -> Result<Self, Refusal> {
        let mut filters = Vec::new();
        for mut filter in form.structures("Filter") {
            let (name, values) = (filter.required("Name")?, filter.list("Value"));
            filter.finish()?;
            if values.iter().any(|value| value.contains(['*', '?', '\\'])) {
                return Err(Refusal::UnsupportedOperation(format!("wildcards in the filter {name}")));
            }
            filters.push(Filter { name, values });
        }
        Ok(Self(filters))
    }

    /// Whether a resource passes all of them.
    pub(super) fn pass(&self, resource: &impl Filtered) -> Result<bool, Refusal> {
        for filter in &self.0 {
            let invalid = || Refusal::InvalidParameterValue(format!("The filter '{}' is invalid", filter.name));
            let values = resource.values(&filter.name).ok_or_else(invalid)?;
            if !values.iter().any(|value| filter.values.iter().any(|wanted| wanted == value)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The values of `tag:<key>` and `tag-key`.
pub(super) fn of_tags<'a>(tags: &'a BTreeMap<String, String>, name: &str) -> Option<Vec<&'a str>> {
    if name == "tag-key" {
        return Some(tags.keys().map(String::as_str).collect());
    }
    let key = name.strip_prefix("tag:")?;
    Some(tags.get(key).map(String::as_str).into_iter().collect())
}

/// Which part of all results a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paging {
    results_max: Option<usize>,
    after: Option<String>,
}

impl Paging {
    /// Reads `MaxResults` and `NextToken`.
    pub(super) fn of(form: &mut Form) -> Result<Self, Refusal> {
        let results_max = form.parsed("MaxResults")?;
        if let Some(max) = results_max.filter(|max| !PAGE_RESULTS.contains(max)) {
            let text = format!("Value ( {max} ) for parameter maxResults is invalid. Expecting a value of 5 to 1000.");
            return Err(Refusal::InvalidParameterValue(text));
        }
        Ok(Self { results_max, after: form.text("NextToken") })
    }

    /// Whether the client asks for pages at all.
    pub(super) fn is_asked(&self) -> bool {
        self.results_max.is_some() || self.after.is_some()
    }

    /// The page of results that come in order of their keys, and the token for the next.
    pub(super) fn page<T>(&self, results: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let left = results.into_iter().filter(|r| self.after.as_ref().is_none_or(|after| key(r) > *after));
        let mut page: Vec<T> = left.collect();
        let Some(max) = self.results_max.filter(|max| page.len() > *max) else { return (page, None) };
        page.truncate(max);
        let next = page.last().map(&key);
        (page, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tagged(BTreeMap<String, String>);

    impl Filtered for Tagged {
        fn values(&self, name: &str) -> Option<Vec<&str>> {
            of_tags(&self.0, name)
        }
    }

    fn check(query: &str, expected: Result<bool, &'static str>) {
        let resource = Tagged(BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]));
        let filters = Filters::of(&mut Form::of(query.as_bytes()));
        let passed = filters.and_then(|filters| filters.pass(&resource));
        assert_eq!(passed.map_err(|refusal| refusal.code()), expected, "{query}");
    }

    #[test]
    fn values_are_alternatives_and_filters_are_not() {
        check("", Ok(true));
        check("Filter.1.Name=tag:a&Filter.1.Value.1=0&Filter.1.Value.2=1", Ok(true));
        check("Filter.1.Name=tag:a&Filter.1.Value.1=2", Ok(false));
        check("Filter.1.Name=tag:c&Filter.1.Value.1=1", Ok(false));
        check("Filter.1.Name=tag-key&Filter.1.Value.1=b", Ok(true));
        check("Filter.1.Name=tag:a&Filter.1.Value.1=1&Filter.2.Name=tag:b&Filter.2.Value.1=1", Ok(false));
        check("Filter.1.Name=odd&Filter.1.Value.1=1", Err("InvalidParameterValue"));
        check("Filter.1.Name=tag:a&Filter.1.Value.1=1*", Err("UnsupportedOperation"));
        check("Filter.1.Value.1=1", Err("MissingParameter"));
    }

    #[test]
    fn pages_cover_each_result_once() {
        let all: Vec<u8> = (b'a'..=b'l').collect();
        let key = |letter: &u8| char::from(*letter).to_string();
        let (mut token, mut pages) = (String::new(), Vec::new());
        for _ in 0..3 {
            let query = format!("MaxResults=5{token}");
            let paging = Paging::of(&mut Form::of(query.as_bytes())).expect("a legal page");
            let (page, next) = paging.page(all.clone(), key);
            pages.push(String::from_utf8(page).expect("letters"));
            token = next.map_or_else(String::new, |next| format!("&NextToken={next}"));
        }
        assert_eq!((pages.join(" ").as_str(), token.as_str()), ("abcde fghij kl", ""));
        for query in ["MaxResults=4", "MaxResults=1001", "MaxResults=x"] {
            assert!(Paging::of(&mut Form::of(query.as_bytes())).is_err(), "{query}");
        }
    }
}
