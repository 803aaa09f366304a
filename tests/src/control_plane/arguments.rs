//! The command lines of etcd and kube-apiserver.

use super::keys::Keys;
use std::ffi::OsString;
use std::path::Path;

/// Loopback ports of one control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// etcd, for the API server.
    pub etcd_client: u16,
    /// etcd, for members it does not have; it listens all the same.
    pub etcd_peer: u16,
    /// The API server, TLS.
    pub api: u16,
}

/// The issuer named in service-account tokens; nothing resolves it.
pub const TOKEN_ISSUER: &str = "https://testbed.invalid";

/// etcd with one member and without fsync: what it stores is thrown away.
pub fn etcd(ports: Ports, data: &Path) -> Vec<OsString> {
    let client = format!("http://127.0.0.1:{}", ports.etcd_client);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut arguments = vec![OsString::from("--data-dir"), data.as_os_str().to_owned()];
    arguments.extend(
        [
            "--name=testbed".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=testbed={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]
        .map(OsString::from),
    );
    arguments
}

/// kube-apiserver alone: no kubelet, scheduler or controller manager stands beside it.
pub fn kube_apiserver(ports: Ports, keys: &Keys, folder: &Path) -> Vec<OsString> {
    let mut arguments = [
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd_client),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api),
        "--advertise-address=127.0.0.1".to_owned(),
        // A loopback address is not a legal endpoint; without this the server logs an error every ten seconds.
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
        // The product's own roles are really checked; the admin's group passes by.
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-issuer={TOKEN_ISSUER}"),
        // Without its controller no ServiceAccount named default exists, and this plugin would refuse every pod.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--allow-privileged=true".to_owned(),
        // A kubelet on loopback, where there is one; its certificate is not checked.
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--profiling=false".to_owned(),
    ]
    .map(OsString::from)
    .to_vec();
    let paths = [
        ("--tls-cert-file", keys.server_certificate.as_path()),
        ("--tls-private-key-file", &keys.server_key),
        ("--cert-dir", folder),
        ("--token-auth-file", &keys.tokens),
        ("--service-account-key-file", &keys.service_account_public_key),
        ("--service-account-signing-key-file", &keys.service_account_key),
    ];
    for (flag, path) in paths {
        arguments.extend([OsString::from(flag), path.as_os_str().to_owned()]);
    }
    arguments
}
