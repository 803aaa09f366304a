//! How does an answer become XML, and a body of XML a value?

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A document with this root element; lists are repeated elements of their field's name.
///
/// # Panics
/// When a type of this crate has no form in XML, which would be a defect of that type.
pub(super) fn document<T: Serialize>(root: &str, value: &T) -> Bytes {
    let body = quick_xml::se::to_string_with_root(root, value)
        .unwrap_or_else(|e| panic!("an answer <{root}> has no form in XML: {e}"));
    Bytes::from(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

/// Reads a document; `None`: it is not one, or not of this shape.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    quick_xml::de::from_str(std::str::from_utf8(body).ok()?).ok()
}
