//! Which versions of an API group are served instead of the one that is needed.

use kube::Client;

use crate::execute::bounded;
use crate::kind::Kind;

/// What to add to "not found": the versions that the kind's group is served in, if it is served at all. Everybody who is
/// authenticated may ask (`system:discovery`).
pub async fn instead_of(client: &Client, kind: Kind) -> String {
    let Some((_, group)) = kind.resource().split_once('.') else { return String::new() };
    let Ok(groups) = bounded(client.list_api_groups()).await else { return String::new() };
    let served = groups.groups.into_iter().find(|served| served.name == group);
    let versions: Vec<String> = served.into_iter().flat_map(|g| g.versions).map(|version| version.version).collect();
    match versions.as_slice() {
        [] => format!("; the API group {group} is not served"),
        _ => format!("; {group} is served as {}, and this program needs v1 of it", versions.join(", ")),
    }
}
