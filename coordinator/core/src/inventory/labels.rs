//! How labels are kept when there are hundreds of thousands of objects: one string, in order.

use std::collections::BTreeMap;
use std::fmt;

/// Labels as sorted lines `key=value`: a claim's five labels cost one allocation of about 150 bytes instead of a map's 1 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(Box<str>);

impl Labels {
    /// Of a map. What cannot be a label (`=` in the key, a line end anywhere) is left out: no API server stores it.
    pub fn new(map: &BTreeMap<String, String>) -> Self {
        let mut text = String::new();
        for (key, value) in map {
            if key.contains(['=', '\n']) || value.contains('\n') {
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        Self(text.into_boxed_str())
    }

    /// A label's value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every label, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.split_once('='))
    }

    /// As a map.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('\n', ","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(map in prop::collection::btree_map("[a-z./]{1,8}", "[a-zA-Z0-9=._-]{0,8}", 0..6)) {
            let labels = Labels::new(&map);
            prop_assert_eq!(labels.to_map(), map.clone());
            for (key, value) in &map {
                prop_assert_eq!(labels.get(key), Some(value.as_str()));
            }
        }
    }

    #[test]
    fn what_no_label_can_be_is_left_out() {
        let map = [("a=b", "x"), ("c", "x\ny"), ("d", "z")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(Labels::new(&map.into()).to_string(), "d=z");
    }
}
