//! Did the bytes arrive that the client meant?

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::refusal::Refusal;

/// The one flexible checksum that the stand-in computes: the default of Velero's plugin and of the SDKs.
pub(super) const CRC32: &str = "x-amz-checksum-crc32";

/// Base64 of the big-endian CRC-32, as in headers and trailers.
pub(super) fn crc32(bytes: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

/// Compares with the value of a header or trailer `x-amz-checksum-…`.
pub(super) fn check(name: &str, value: &str, bytes: &[u8]) -> Result<(), Refusal> {
    if name != CRC32 {
        return Err(Refusal::NotImplemented(format!("a checksum in {name}; {CRC32} is the one that is checked")));
    }
    if value == crc32(bytes) { Ok(()) } else { Err(Refusal::BadDigest) }
}

/// Compares with a header `Content-MD5`.
pub(super) fn check_md5(value: &str, bytes: &[u8]) -> Result<(), Refusal> {
    if value == STANDARD.encode(md5(bytes)) { Ok(()) } else { Err(Refusal::BadDigest) }
}

/// MD5.
pub(super) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_published_examples() {
        // The CRC-32 check value of "123456789" is CBF43926.
        assert_eq!(crc32(b"123456789"), "y/Q5Jg==");
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(check(CRC32, "y/Q5Jg==", b"123456789"), Ok(()));
        assert_eq!(check(CRC32, "y/Q5Jg==", b"12345678"), Err(Refusal::BadDigest));
        assert!(matches!(check("x-amz-checksum-crc32c", "", b""), Err(Refusal::NotImplemented(_))));
        assert_eq!(check_md5("1B2M2Y8AsgTpgAmY7PhCfg==", b""), Ok(()));
    }
}
