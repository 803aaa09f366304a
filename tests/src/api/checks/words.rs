//! Is this string a legal name, label or annotation key? The character rules, and the real server's words when it is not.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation` of Kubernetes v1.35; the texts as kube-apiserver v1.35.4 answered them.

/// Longest DNS-1123 subdomain: most object names.
const SUBDOMAIN_BYTES_MAX: usize = 253;
/// Longest DNS label, label value, and name part of a label key.
const LABEL_BYTES_MAX: usize = 63;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end \
with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn framed(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(a), Some(z)) if edge(*a) && edge(*z))
        && bytes.iter().all(|b| inner(*b))
}

fn lower_alnum(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    framed(text, lower_alnum, |b| lower_alnum(b) || b == b'-')
}

fn is_qualified_part(text: &str) -> bool {
    framed(text, |b| b.is_ascii_alphanumeric(), |b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// What is wrong with a DNS-1123 subdomain.
pub fn subdomain(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > SUBDOMAIN_BYTES_MAX {
        out.push(format!("must be no more than {SUBDOMAIN_BYTES_MAX} characters"));
    }
    if !text.split('.').all(is_label) {
        out.push(SUBDOMAIN.to_owned());
    }
    out
}

/// What is wrong with a DNS-1123 label (names of Namespaces).
pub fn dns_label(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        out.push(format!("must be no more than {LABEL_BYTES_MAX} bytes"));
    }
    if text.contains('.') {
        out.push("must not contain dots".to_owned());
    } else if !is_label(text) {
        out.push(DNS_LABEL.to_owned());
    }
    out
}

/// What is wrong with a DNS-1035 label (names of Services).
pub fn dns_1035(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        out.push(format!("must be no more than {LABEL_BYTES_MAX} bytes"));
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        out.push(DNS_1035.to_owned());
    }
    out
}

/// What is wrong with a label or annotation key, or a finalizer.
pub fn qualified_name(text: &str) -> Vec<String> {
    let (prefix, name) = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            let tail = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {QUALIFIED} {tail}")];
        }
    };
    let mut out = Vec::new();
    match prefix {
        Some("") => out.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => out.extend(subdomain(prefix).into_iter().map(|e| format!("prefix part {e}"))),
        None => {}
    }
    if name.is_empty() {
        out.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES_MAX {
        out.push(format!("name part must be no more than {LABEL_BYTES_MAX} bytes"));
    }
    if !is_qualified_part(name) {
        out.push(format!("name part {QUALIFIED}"));
    }
    out
}

/// What is wrong with a label's value.
pub fn label_value(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        out.push(format!("must be no more than {LABEL_BYTES_MAX} bytes"));
    }
    if !text.is_empty() && !is_qualified_part(text) {
        out.push(VALUE.to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(rule(text), Vec::<String>::new(), "{text}");
        }
        for text in bad {
            assert!(!rule(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn words_are_legal_or_not() {
        let long = "a".repeat(64);
        let longer = "a".repeat(254);
        check(subdomain, &["a", "a.b-c", "0", &long], &["", "A", "a_b", "-a", "a.", "a..b", "a/b", &longer]);
        check(dns_label, &["a", "0-a"], &["", "a.b", "a-", &long]);
        check(dns_1035, &["a", "a-0"], &["0a", "a.b", ""]);
        check(qualified_name, &["a", "A_b.c", "x.y/Z"], &["", "/a", "a/", "a/b/c", "X/a", "a b", &long]);
        check(label_value, &["", "A_b.c-0"], &["a b", "-a", "a/b", "ä", &long]);
    }
}
