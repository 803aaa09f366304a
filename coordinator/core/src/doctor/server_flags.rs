//! What Velero's Deployment says of the server: version, flags, variables.

use super::facts::{Container, Deployment, Facts};

/// The server's Deployment, its container, and where its words can be read.
pub struct Server<'a> {
    pub deployment: &'a Deployment,
    pub container: &'a Container,
}

/// The name that Velero's installer and chart give the server's Deployment, and its container.
pub const NAME: &str = "velero";

/// Velero's server, where its Deployment is known.
pub fn server(facts: &Facts) -> Option<Server<'_>> {
    let of_velero = |it: &&Deployment| it.metadata.namespace == facts.velero_namespace && it.metadata.name == NAME;
    let deployment = facts.deployments.iter().find(of_velero)?;
    let containers = &deployment.spec.template.spec.containers;
    let container = containers.iter().find(|it| it.name == NAME).or_else(|| containers.first())?;
    Some(Server { deployment, container })
}

impl Server<'_> {
    /// A flag's value, the last one given, as Go's flags read them.
    pub fn flag(&self, name: &str) -> Option<&str> {
        flag(self.container, name)
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.container.env.iter().rev().find(|it| it.name == name)?.value.as_deref()
    }

    /// Major and minor version by the image's tag.
    pub fn version(&self) -> Option<(u32, u32)> {
        let [major, minor, _] = version_of(&self.container.image)?;
        Some((major, minor))
    }

    /// Whether CSI snapshots are on.
    pub fn csi(&self) -> bool {
        self.flag("--features").is_some_and(|it| it.split(',').any(|feature| feature.trim() == "EnableCSI"))
    }

    /// How many item blocks run at once; nothing where that cannot be understood.
    pub fn workers(&self) -> Option<u32> {
        self.flag("--item-block-worker-count").map_or(Some(1), |text| text.parse().ok())
    }
}

/// A flag of a container, `--name=value` or `--name value`.
pub fn flag<'a>(container: &'a Container, name: &str) -> Option<&'a str> {
    let words: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
    flag_in(&words, name)
}

/// The same of a command's words.
pub fn flag_in<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix(name)? {
        "" => Some(words.get(at + 1).copied().unwrap_or_default()),
        rest => rest.strip_prefix('='),
    })
}

/// The numbers of an image's tag (`v1.18.3`, `0.1.0`); nothing for `latest`, digests and the like.
pub fn version_of(image: &str) -> Option<[u32; 3]> {
    let image = image.split('@').next().unwrap_or_default();
    let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
    let tag = tag.trim_start_matches('v').split(['-', '+']).next()?;
    let mut numbers = tag.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (major, minor) = (next()?, next()?);
    Some([major, minor, next().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_versions_or_none() {
        for (image, expected) in [
            ("velero/velero:v1.18.3", Some([1, 18, 3])),
            ("localhost:5000/velero:1.9", Some([1, 9, 0])),
            ("velero:v1.17.0-rc.1@sha256:00", Some([1, 17, 0])),
            ("localhost:5000/velero", None),
            ("velero:latest", None),
            ("velero@sha256:00", None),
        ] {
            assert_eq!(version_of(image), expected, "{image}");
        }
    }
}
