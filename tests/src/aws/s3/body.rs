//! What did the client put into its request's body?
//!
//! SDKs send bodies plain or `aws-chunked`: chunks with their lengths (and signatures, which are passed over), and after the last one
//! trailers such as a checksum. Amazon S3 API reference, "Signature calculations: transferring payload in multiple chunks".

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;

use super::checksum;
use super::refusal::Refusal;

/// Declared checksums of a body's bytes: name and value.
pub(super) type Checksums = Vec<(String, String)>;

/// The bytes that the client meant, checked against every checksum that came with them.
pub(super) fn payload(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refusal> {
    let (bytes, checksums) = unchecked(headers, body)?;
    for (name, value) in &checksums {
        checksum::check(name, value, &bytes)?;
    }
    if let Some(value) = text(headers, "content-md5") {
        checksum::check_md5(value, &bytes)?;
    }
    Ok(bytes)
}

/// A header's text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unchecked(headers: &HeaderMap, body: &Bytes) -> Result<(Bytes, Checksums), Refusal> {
    let mut checksums: Checksums = headers
        .iter()
        .filter(|(name, _)| is_checksum(name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    match text(headers, "x-amz-content-sha256").filter(|how| how.starts_with("STREAMING-")) {
        None => Ok((body.clone(), checksums)),
        Some(
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
            | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        ) => {
            let Dechunked { bytes, trailers } = dechunk(body).ok_or(Refusal::IncompleteBody)?;
            let stated = text(headers, "x-amz-decoded-content-length").and_then(|length| length.parse().ok());
            let announced = text(headers, "x-amz-trailer").unwrap_or_default();
            let missing = announced.split(',').map(str::trim).filter(|name| !name.is_empty());
            let complete = missing.into_iter().all(|name| trailers.iter().any(|(n, _)| n == name));
            if stated != Some(bytes.len()) || !complete {
                return Err(Refusal::IncompleteBody);
            }
            checksums.extend(trailers.into_iter().filter(|(name, _)| is_checksum(name)));
            Ok((bytes, checksums))
        }
        Some(other) => Err(Refusal::NotImplemented(format!("x-amz-content-sha256: {other}"))),
    }
}

/// Of a request's headers and trailers, which is the checksum of its body? Algorithm, mode and type are no checksums.
fn is_checksum(name: &str) -> bool {
    name.strip_prefix("x-amz-checksum-").is_some_and(|which| !matches!(which, "algorithm" | "mode" | "type"))
}

#[derive(Debug, PartialEq, Eq)]
struct Dechunked {
    bytes: Bytes,
    trailers: Vec<(String, String)>,
}

fn dechunk(body: &[u8]) -> Option<Dechunked> {
    let (mut rest, mut bytes) = (body, BytesMut::new());
    loop {
        let (line, after) = split_line(rest)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(Dechunked { bytes: bytes.freeze(), trailers: trailers(after)? });
        }
        let (chunk, after) = after.split_at_checked(size)?;
        bytes.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

fn trailers(mut rest: &[u8]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (line, after) = split_line(rest)?;
        rest = after;
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':')?;
        found.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(found)
}

fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], body: &'static [u8], expected: Result<&'static [u8], Refusal>) {
        let headers: HeaderMap = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        assert_eq!(payload(&headers, &Bytes::from_static(body)), expected.map(Bytes::from_static), "{headers:?}");
    }

    const UNSIGNED: (&str, &str) = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    const NINE: (&str, &str) = ("x-amz-decoded-content-length", "9");
    const TRAILER: (&str, &str) = ("x-amz-trailer", "x-amz-checksum-crc32");

    #[test]
    fn plain_bodies_are_checked_against_their_headers() {
        check(&[], b"123456789", Ok(b"123456789"));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg==")], b"123456789", Ok(b"123456789"));
        check(&[("x-amz-checksum-crc32", "y/Q5Jg==")], b"x", Err(Refusal::BadDigest));
        check(&[("content-md5", "y/Q5Jg==")], b"x", Err(Refusal::BadDigest));
        check(&[("x-amz-checksum-mode", "ENABLED")], b"x", Ok(b"x"));
    }

    #[test]
    fn chunked_bodies_are_joined_and_checked_against_their_trailers() {
        let whole = b"5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
        check(&[UNSIGNED, NINE, TRAILER], whole, Ok(b"123456789"));
        let signed = ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let with_signatures = b"9;chunk-signature=ab\r\n123456789\r\n0;chunk-signature=cd\r\n\r\n";
        check(&[signed, NINE], with_signatures, Ok(b"123456789"));
    }

    #[test]
    fn chunked_bodies_that_lie_are_refused() {
        let other = b"9\r\n12345678x\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
        check(&[UNSIGNED, NINE, TRAILER], other, Err(Refusal::BadDigest));
        check(&[UNSIGNED, NINE, TRAILER], b"9\r\n123456789\r\n0\r\n\r\n", Err(Refusal::IncompleteBody));
        check(&[UNSIGNED, NINE], b"8\r\n12345678\r\n0\r\n\r\n", Err(Refusal::IncompleteBody));
        check(&[UNSIGNED, NINE], b"9\r\n1234", Err(Refusal::IncompleteBody));
        check(&[UNSIGNED], b"0\r\n\r\n", Err(Refusal::IncompleteBody));
        let unknown = ("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD");
        let expected = Refusal::NotImplemented(format!("x-amz-content-sha256: {}", unknown.1));
        check(&[unknown], b"0\r\n\r\n", Err(expected));
    }
}
