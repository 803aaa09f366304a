//! What is one stored version of one object?

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::form::Form;

/// The one counter of the whole server; grows with every write of any object.
pub type Revision = u64;

/// Where an object is within its kind; `namespace` is empty for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace, or empty.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object that has its metadata in place.
    pub fn of(object: &Value) -> Self {
        Self::new(meta_str(object, "namespace"), meta_str(object, "name"))
    }
}

/// An immutable version of an object. Its JSON is made once, however many clients read it.
#[derive(Debug)]
pub struct Stored {
    /// The object, with `apiVersion`, `kind` and `metadata.resourceVersion` in place.
    pub value: Value,
    /// Revision that wrote it.
    pub revision: Revision,
    json: OnceLock<Bytes>,
    untyped: OnceLock<Bytes>,
    partial: OnceLock<Bytes>,
}

impl Stored {
    /// Wraps a value; writes the revision into `metadata.resourceVersion`.
    pub fn new(mut value: Value, revision: Revision) -> Arc<Self> {
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        Arc::new(Self { value, revision, json: OnceLock::new(), untyped: OnceLock::new(), partial: OnceLock::new() })
    }

    /// What a dry run answers with: an object that no revision wrote.
    pub(super) fn pretended(value: Value) -> Arc<Self> {
        Arc::new(Self { value, revision: 0, json: OnceLock::new(), untyped: OnceLock::new(), partial: OnceLock::new() })
    }

    /// The object as JSON bytes.
    pub fn json(&self) -> Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// The object as JSON bytes in a form.
    pub fn rendered(&self, form: Form) -> Bytes {
        match form {
            Form::Full => self.json(),
            Form::Metadata => {
                self.partial.get_or_init(|| Bytes::from(partial(&self.value["metadata"]).to_string())).clone()
            }
        }
    }

    /// The object as JSON bytes without `apiVersion` and `kind`: how lists of built-in kinds hold their items.
    pub fn untyped_json(&self) -> Bytes {
        let without = || {
            let mut value = self.value.clone();
            if let Some(map) = value.as_object_mut() {
                map.remove("apiVersion");
                map.remove("kind");
            }
            Bytes::from(value.to_string())
        };
        self.untyped.get_or_init(without).clone()
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        meta_str(&self.value, "uid")
    }
}

/// Metadata as an object of its own.
pub fn partial(metadata: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
}

/// A string of `metadata`, empty when it is not there.
pub fn meta_str<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// What an event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Created.
    Added,
    /// Replaced.
    Modified,
    /// Removed.
    Deleted,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change of one object. Watchers share it, and share the lines it is sent as.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// When, in revisions.
    pub revision: Revision,
    /// To which object.
    pub key: Key,
    /// The object after it; for a deletion its last state with the deletion's revision.
    pub object: Arc<Stored>,
    /// The object before it, unless it was created.
    pub before: Option<Arc<Stored>>,
    full: Lines,
    partial: Lines,
}

/// Lines of an event as added, modified, deleted, and as having left a selection; each is made when somebody first needs it.
type Lines = [OnceLock<Bytes>; 4];

impl Event {
    pub(super) fn new(change: Change, key: Key, object: Arc<Stored>, before: Option<Arc<Stored>>) -> Arc<Self> {
        let revision = object.revision;
        Arc::new(Self { change, revision, key, object, before, full: Lines::default(), partial: Lines::default() })
    }

    /// The JSON line that tells this event as `change`.
    pub fn line(&self, change: Change, form: Form) -> Bytes {
        let slot = match change {
            Change::Added => 0,
            Change::Modified => 1,
            Change::Deleted => 2,
        };
        self.lines(form)[slot].get_or_init(|| line(change.word(), &self.object.rendered(form))).clone()
    }

    /// The line for a watcher whose selection the object has just left: its state before, at this event's revision.
    pub fn line_left(&self, form: Form) -> Bytes {
        let left = || {
            let before = self.before.as_ref().unwrap_or(&self.object);
            line(Change::Deleted.word(), &Stored::new(before.value.clone(), self.revision).rendered(form))
        };
        self.lines(form)[3].get_or_init(left).clone()
    }

    fn lines(&self, form: Form) -> &Lines {
        match form {
            Form::Full => &self.full,
            Form::Metadata => &self.partial,
        }
    }
}

/// A line of a watch response: `{"type":…,"object":…}` and a newline.
pub fn line(word: &str, object: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(object.len() + word.len() + 24);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out.into()
}
