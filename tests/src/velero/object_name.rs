//! How is a namespaced object named inside the simulator?

use std::fmt;

/// Namespace and name of a pod, claim or snapshot. Orders as the API server lists: by namespace, then name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name inside it.
    pub name: String,
}

impl ObjectName {
    /// Takes both parts as they are; the API server has checked them already.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    /// `namespace/name`, as Velero writes it in `orderedResources`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
