//! Which keys does one page of a listing show?

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;
use crate::aws::parameters::Parameters;

/// Most entries of a page, and how many it has when the client asks for no number (`ListObjectsV2`).
const PAGE_ENTRIES_MAX: usize = 1_000;

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) prefix: String,
    /// Empty: none.
    pub(super) delimiter: String,
    pub(super) max_keys: usize,
    /// As the client sent it.
    pub(super) token: Option<String>,
    pub(super) start_after: Option<String>,
    /// `encoding-type=url`.
    pub(super) encoded: bool,
    /// The entry that the last page ended with.
    after: String,
}

/// One entry: a key, or a prefix that stands for all keys below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Key(&'a str),
    Prefix(&'a str),
}

/// One page, in order of its entries' text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Where the next page starts.
    pub(super) next: Option<String>,
}

impl Listing {
    /// From the query of `GET /bucket?list-type=2`.
    pub(super) fn of(query: &Parameters) -> Result<Self, Refusal> {
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        let max_keys = match query.get("max-keys") {
            None => PAGE_ENTRIES_MAX,
            Some(number) => number.parse().map_err(|_| Refusal::InvalidArgument("max-keys".to_owned()))?,
        };
        let encoded = match query.get("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => return Err(Refusal::InvalidArgument("encoding-type".to_owned())),
        };
        let token = query.get("continuation-token").map(ToOwned::to_owned);
        let start_after = query.get("start-after").map(ToOwned::to_owned);
        let after = match &token {
            None => String::new(),
            Some(token) => {
                let entry = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                entry.ok_or_else(|| Refusal::InvalidArgument("continuation-token".to_owned()))?
            }
        };
        let max_keys = max_keys.min(PAGE_ENTRIES_MAX);
        Ok(Self { prefix: text("prefix"), delimiter: text("delimiter"), max_keys, token, start_after, encoded, after })
    }

    /// The page of these keys, which come in order.
    pub(super) fn page<'a>(&self, keys: impl Iterator<Item = &'a str>) -> Page<'a> {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        for key in keys.filter(|key| key.starts_with(&self.prefix)) {
            let entry = self.entry(key);
            let text = entry.text();
            // A prefix that ended the last page hides its keys on this one as well; `start-after` is a key and hides keys alone.
            let before = text <= self.after.as_str() || self.start_after.as_deref().is_some_and(|start| key <= start);
            if before || entries.last() == Some(&entry) {
                continue;
            }
            if entries.len() == self.max_keys {
                // No page, no end: a client that asks for nothing is told that this was all.
                let next = entries.last().map(|last| URL_SAFE_NO_PAD.encode(last.text()));
                return Page { entries, next };
            }
            entries.push(entry);
        }
        Page { entries, next: None }
    }

    fn entry<'a>(&self, key: &'a str) -> Entry<'a> {
        if self.delimiter.is_empty() {
            return Entry::Key(key);
        }
        let below = &key[self.prefix.len()..];
        match below.find(&self.delimiter) {
            Some(at) => Entry::Prefix(&key[..self.prefix.len() + at + self.delimiter.len()]),
            None => Entry::Key(key),
        }
    }
}

impl<'a> Entry<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["a", "b/1", "b/2", "b/c/3", "d", "e/4"];

    /// All pages of a listing, joined by `|`; prefixes are marked with a star.
    fn check(query: &str, expected: &str) {
        let mut pages = Vec::new();
        let mut token = None;
        loop {
            let query = token.as_ref().map_or_else(|| query.to_owned(), |t| format!("{query}&continuation-token={t}"));
            let listing = Listing::of(&Parameters::of(query.as_bytes())).expect("a legal query");
            let page = listing.page(KEYS.into_iter());
            let texts = page.entries.iter().map(|entry| match entry {
                Entry::Key(key) => (*key).to_owned(),
                Entry::Prefix(prefix) => format!("{prefix}*"),
            });
            pages.push(texts.collect::<Vec<_>>().join(" "));
            token = page.next;
            if token.is_none() {
                assert_eq!(pages.join(" | "), expected, "{query}");
                return;
            }
        }
    }

    #[test]
    fn pages_cover_each_entry_once() {
        check("", "a b/1 b/2 b/c/3 d e/4");
        check("delimiter=/", "a b/* d e/*");
        check("delimiter=/&max-keys=2", "a b/* | d e/*");
        check("delimiter=/&max-keys=1", "a | b/* | d | e/*");
        check("prefix=b/&delimiter=/", "b/1 b/2 b/c/*");
        check("prefix=b/&max-keys=2", "b/1 b/2 | b/c/3");
        check("start-after=b/2", "b/c/3 d e/4");
        check("start-after=b/2&delimiter=/", "b/* d e/*");
        check("prefix=x", "");
        check("max-keys=0", "");
    }

    #[test]
    fn what_is_no_number_or_token_is_refused() {
        for query in ["max-keys=x", "continuation-token=%25", "encoding-type=base64"] {
            let refused = Listing::of(&Parameters::of(query.as_bytes()));
            assert!(matches!(refused, Err(Refusal::InvalidArgument(_))), "{query}");
        }
    }
}
