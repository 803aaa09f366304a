//! A pod's own access: Kubernetes' variables, the projected token and the authority beside it.

use crate::access::{Access, AccessError, CERTIFICATES_BYTES_MAX, Token, certificates};
use crate::settings::AccessFlags;
use crate::small_file;

/// Access as every container has it whose pod mounts a token.
pub fn access(flags: &AccessFlags) -> Result<Access, AccessError> {
    let variable = |name| std::env::var(name).map_err(|e| AccessError::NotInPod(name, e));
    let address = address(&variable("KUBERNETES_SERVICE_HOST")?, &variable("KUBERNETES_SERVICE_PORT")?);
    let server = address.parse().map_err(|e| AccessError::Address(address, e))?;
    let path = &flags.ca_file;
    let pem = small_file::read(path, CERTIFICATES_BYTES_MAX).map_err(AccessError::Authority)?;
    let pem = pem.ok_or_else(|| AccessError::NoAuthority(path.clone()))?;
    let roots = certificates(pem.as_bytes()).ok_or_else(|| AccessError::NotPem(path.clone()))?;
    Ok(Access { server, roots, server_name: None, identity: None, token: Token::File(flags.token_file.clone()) })
}

/// An IPv6 host needs brackets in a URL.
fn address(host: &str, port: &str) -> String {
    if host.contains(':') { format!("https://[{host}]:{port}") } else { format!("https://{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_kinds() {
        assert_eq!(address("10.0.0.1", "443"), "https://10.0.0.1:443");
        assert_eq!(address("fd00::1", "6443"), "https://[fd00::1]:6443");
    }
}
