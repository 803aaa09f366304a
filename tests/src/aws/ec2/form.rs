//! What does a form of the EC2 Query protocol say?
//!
//! Lists are numbered from 1 (`SnapshotId.1`), structures in lists go on after the number (`Filter.1.Value.2`).

use std::collections::BTreeMap;
use std::str::FromStr;

use super::refusal::Refusal;

/// Parameters that nobody has read yet, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    left: BTreeMap<String, String>,
}

impl Form {
    /// Decodes a body.
    pub(super) fn of(body: &[u8]) -> Self {
        Self { left: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// A parameter, which is still to be read.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.left.get(name).map(String::as_str)
    }

    /// A parameter.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    /// A parameter that must be there.
    pub(super) fn required(&mut self, name: &'static str) -> Result<String, Refusal> {
        self.text(name).filter(|text| !text.is_empty()).ok_or(Refusal::MissingParameter(name))
    }

    /// A parameter of another type.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>, Refusal> {
        let wrong = |text: &str| Refusal::InvalidParameterValue(format!("Invalid value '{text}' for {name}"));
        self.text(name).map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }

    /// The numbered values of a list, in order.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let mut found: Vec<(u32, String)> = Vec::new();
        self.left.retain(|key, value| {
            let number = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).and_then(|n| n.parse().ok());
            if let Some(number) = number {
                found.push((number, std::mem::take(value)));
            }
            number.is_none()
        });
        found.sort();
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// The numbered structures of a list, in order; each is to be [finished](Self::finish) on its own.
    pub(super) fn structures(&mut self, name: &str) -> Vec<Self> {
        let mut found: BTreeMap<u32, Self> = BTreeMap::new();
        self.left.retain(|key, value| {
            let rest = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            let Some((number, field)) = rest.and_then(|rest| rest.split_once('.')) else { return true };
            let Ok(number) = number.parse() else { return true };
            found.entry(number).or_default().left.insert(field.to_owned(), std::mem::take(value));
            false
        });
        found.into_values().collect()
    }

    /// Refuses what nobody has read: the stand-in does not know it.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        self.left.into_keys().next().map_or(Ok(()), |name| Err(Refusal::UnknownParameter(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_order_of_their_numbers() {
        let mut form = Form::of(b"Id.10=c&Id.2=b&Id.1=a+%26&Idle=x&F.2.Name=n&F.2.Value.1=v&F.1.Name=m");
        assert_eq!(form.list("Id"), ["a &", "b", "c"]);
        let mut filters = form.structures("F");
        assert_eq!(
            filters.iter_mut().map(|f| f.text("Name")).collect::<Vec<_>>(),
            [Some("m".to_owned()), Some("n".to_owned())]
        );
        assert_eq!(filters[1].list("Value"), ["v"]);
        assert_eq!(form.finish(), Err(Refusal::UnknownParameter("Idle".to_owned())));
        assert!(filters.into_iter().all(|f| f.finish().is_ok()));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let mut form = Form::of(b"Size=x&Empty=&Flag=true");
        assert!(matches!(form.parsed::<u32>("Size"), Err(Refusal::InvalidParameterValue(_))));
        assert_eq!(form.required("Empty"), Err(Refusal::MissingParameter("Empty")));
        assert_eq!(form.required("None"), Err(Refusal::MissingParameter("None")));
        assert_eq!(form.parsed("Flag"), Ok(Some(true)));
        assert_eq!(form.finish(), Ok(()));
    }
}
