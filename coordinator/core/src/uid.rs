//! `metadata.uid` in as few bytes as it takes.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use shared::identity::PodUid;

/// Where a UUID's text has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A uid. API servers make them as UUIDs, which are 16 bytes; any other text is kept as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl Uid {
    /// Whether it is known at all.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Form::Text(text) if text.is_empty())
    }

    /// As it is told to others; nothing where it is not known.
    pub fn told(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_string())
    }

    /// As members name their pod; nothing where no member could.
    pub fn of_pod(&self) -> Option<PodUid> {
        PodUid::new(self.to_string()).ok()
    }
}

impl Default for Uid {
    fn default() -> Self {
        Self(Form::Text(Box::default()))
    }
}

/// The bytes of a UUID in the one form that is written back as it was read: lower case, with hyphens.
fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        if HYPHENS.contains(&at) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = u8::try_from(char::from(byte).to_digit(16)?).ok()?;
        let place = bytes.get_mut(digits / 2)?;
        *place = *place << 4 | digit;
        digits += 1;
    }
    (digits == 32).then_some(bytes)
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self(uuid(text).map_or_else(|| Form::Text(text.into()), Form::Uuid))
    }
}

impl FromStr for Uid {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.into())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Text(text) => f.write_str(text),
            Form::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if [4, 6, 8, 10].contains(&at) {
                        f.write_char('-')?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq<str> for Uid {
    fn eq(&self, text: &str) -> bool {
        match &self.0 {
            Form::Text(own) => **own == *text,
            Form::Uuid(bytes) => uuid(text).as_ref() == Some(bytes),
        }
    }
}

impl PartialEq<PodUid> for Uid {
    fn eq(&self, uid: &PodUid) -> bool {
        *self == *uid.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(text in r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-fA-F-]{36}|.{0,40}") {
            let uid = Uid::from(text.as_str());
            prop_assert_eq!(uid.to_string(), text.clone());
            prop_assert!(uid == *text.as_str());
            prop_assert_eq!(uid.told(), (!text.is_empty()).then_some(text));
        }
    }

    #[test]
    fn a_uuid_is_bytes_and_what_looks_like_one_is_not() {
        let text = "0123abcd-0123-4567-89ab-0123456789ab";
        assert!(matches!(Uid::from(text).0, Form::Uuid(_)));
        assert!(Uid::from(text) == PodUid::new(text).unwrap() && Uid::from(text).of_pod() == PodUid::new(text).ok());
        for other in ["0123ABCD-0123-4567-89ab-0123456789ab", "0123abcd-0123-4567-89ab0-123456789ab", "uid-db-0", ""] {
            assert!(matches!(Uid::from(other).0, Form::Text(_)), "{other}");
            assert_ne!(Uid::from(text), Uid::from(other));
        }
    }
}
