//! The certificates, the service-account key and the admin token of one control plane.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// The system's source of randomness, on Linux and macOS alike.
const RANDOM: &str = "/dev/urandom";

/// Name of the user that [`Keys::admin_token`] stands for; its group is `system:masters`, which no rule binds.
pub const ADMIN_USER: &str = "testbed-admin";

/// File of [`Keys::server_certificate`].
pub(super) const SERVER_CERTIFICATE: &str = "server.crt";

/// File of [`Keys::server_key`].
pub(super) const SERVER_KEY: &str = "server.key";

/// Files that the API server reads, all in one folder.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The authority that clients trust, PEM.
    pub authority: PathBuf,
    /// The API server's certificate, signed by the authority, PEM.
    pub server_certificate: PathBuf,
    /// Its key, PKCS #8 PEM.
    pub server_key: PathBuf,
    /// Signs service-account tokens (P-256, so they are ES256), PKCS #8 PEM.
    pub service_account_key: PathBuf,
    /// Verifies them. A file of its own: the API server takes a public key from a PKCS #8 private one only if it is RSA.
    pub service_account_public_key: PathBuf,
    /// Static tokens: one line of `token,user,uid,"groups"`.
    pub tokens: PathBuf,
    /// The token in that line.
    pub admin_token: String,
}

/// Why the keys could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The generator refused.
    #[error("cannot generate a certificate")]
    Generate(#[source] rcgen::Error),
    /// The system gave no random bytes.
    #[error("cannot read {RANDOM}")]
    Random {
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Makes all of them, anew for each control plane.
///
/// Authority and server certificate are two: rustls refuses a certificate that is its own authority as a server's.
pub fn write(folder: &Path) -> Result<Keys, KeysError> {
    let authority_key = generate()?;
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "testbed authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_pem = authority.self_signed(&authority_key).map_err(KeysError::Generate)?.pem();

    let server_key = generate()?;
    let mut server = CertificateParams::new(vec!["localhost".to_owned()]).map_err(KeysError::Generate)?;
    server.distinguished_name.push(DnType::CommonName, "testbed kube-apiserver");
    server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let issuer = Issuer::from_params(&authority, &authority_key);
    let server_pem = server.signed_by(&server_key, &issuer).map_err(KeysError::Generate)?.pem();

    let service_account_key = generate()?;
    let admin_token = random_token()?;
    Ok(Keys {
        authority: put(folder, "authority.crt", &authority_pem)?,
        server_certificate: put(folder, SERVER_CERTIFICATE, &server_pem)?,
        server_key: put(folder, SERVER_KEY, &server_key.serialize_pem())?,
        service_account_key: put(folder, "service-account.key", &service_account_key.serialize_pem())?,
        service_account_public_key: put(folder, "service-account.pub", &service_account_key.public_key_pem())?,
        tokens: put(folder, "tokens.csv", &format!("{admin_token},{ADMIN_USER},{ADMIN_USER},\"system:masters\"\n"))?,
        admin_token,
    })
}

fn generate() -> Result<KeyPair, KeysError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(KeysError::Generate)
}

/// 128 bits in hexadecimal: other users of the machine reach the loopback port too.
fn random_token() -> Result<String, KeysError> {
    let mut bytes = [0_u8; 16];
    let read = std::fs::File::open(RANDOM).and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|source| KeysError::Random { source })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn put(folder: &Path, name: &str, text: &str) -> Result<PathBuf, KeysError> {
    let path = folder.join(name);
    match std::fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(source) => Err(KeysError::Write { path, source }),
    }
}
