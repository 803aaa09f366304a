//! In which other versions a kind is served, when the one that is needed is not there.

use kube::Client;

use crate::execute::bounded;
use crate::kind::Kind;

/// What to add to "not found": the versions in which the kind is served after all, or that its API group is not served.
/// Everybody who is authenticated may ask (`system:discovery`).
pub async fn instead_of(client: &Client, kind: Kind) -> String {
    let Some((plural, group)) = kind.resource().split_once('.') else { return String::new() };
    let Ok(groups) = bounded(client.list_api_groups()).await else { return String::new() };
    let Some(served) = groups.groups.into_iter().find(|served| served.name == group) else {
        return format!("; the API group {group} is not served");
    };
    let mut versions = Vec::new();
    for version in served.versions {
        let resources = bounded(client.list_api_group_resources(&version.group_version)).await;
        if resources.is_ok_and(|list| list.resources.iter().any(|resource| resource.name == plural)) {
            versions.push(version.version);
        }
    }
    match versions.as_slice() {
        [] => format!("; the API group {group} is served without {plural}"),
        _ => format!("; it is served as {}, and this program needs v1", versions.join(", ")),
    }
}
