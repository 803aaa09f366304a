//! Does the S3 stand-in keep what it is given, list it in pages, and refuse what it cannot do?

use testbed::aws::s3::{Outage, S3};

use super::client::{Answer, send};

const SIGNED: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
);

fn ask(s3: &S3, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers: Vec<_> = std::iter::once(SIGNED).chain(headers.iter().copied()).collect();
    send(&s3.url(), method, target, &headers, body)
}

fn with_bucket() -> S3 {
    let s3 = S3::start();
    assert_eq!(ask(&s3, "PUT", "/b", &[], b"").status, 200);
    s3
}

#[test]
fn an_object_comes_back_as_it_went() {
    let s3 = with_bucket();
    let headers = [
        ("content-type", "application/gzip"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-meta-why", "test"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let chunked = b"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    let put = ask(&s3, "PUT", "/b/backups/a%20b.gz?x-id=PutObject", &headers, chunked);
    assert_eq!((put.status, put.header("etag")), (200, Some("\"25f9e794323b453885f5181f1b624d0b\"")));
    assert_eq!(s3.objects("b", "backups/"), ["backups/a b.gz"]);
    assert_eq!(s3.object("b", "backups/a b.gz").as_deref(), Some(&b"123456789"[..]));

    let get = ask(&s3, "GET", "/b/backups/a%20b.gz?x-id=GetObject", &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!((get.status, get.body.as_slice()), (200, &b"123456789"[..]));
    for (name, value) in [
        ("content-type", Some("application/gzip")),
        ("content-encoding", None),
        ("x-amz-meta-why", Some("test")),
        ("x-amz-checksum-crc32", Some("y/Q5Jg==")),
        ("content-length", Some("9")),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    let head = ask(&s3, "HEAD", "/b/backups/a%20b.gz", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("9"), 0));
    let part = ask(&s3, "GET", "/b/backups/a%20b.gz", &[("range", "bytes=2-4")], b"");
    assert_eq!((part.status, part.text(), part.header("content-range")), (206, "345".to_owned(), Some("bytes 2-4/9")));
    assert_eq!(ask(&s3, "DELETE", "/b/backups/a%20b.gz", &[], b"").status, 204);
    assert_eq!(ask(&s3, "HEAD", "/b/backups/a%20b.gz", &[], b"").status, 404);
}

#[test]
fn listings_come_in_pages() {
    let s3 = with_bucket();
    for key in ["backups/one/log", "backups/one/tar", "backups/two/tar", "metadata"] {
        s3.put("b", key, key.as_bytes().to_vec());
    }
    let first = ask(&s3, "GET", "/b?delimiter=%2F&list-type=2&max-keys=1&prefix=backups%2F", &[], b"");
    assert_eq!(first.elements("CommonPrefixes"), ["<Prefix>backups/one/</Prefix>"], "{}", first.text());
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    let token = first.element("NextContinuationToken").expect("there is more");
    let query = format!("delimiter=%2F&list-type=2&max-keys=1&prefix=backups%2F&continuation-token={token}");
    let second = ask(&s3, "GET", &format!("/b?{query}"), &[], b"");
    assert_eq!(second.elements("CommonPrefixes"), ["<Prefix>backups/two/</Prefix>"]);
    assert_eq!(second.element("IsTruncated").as_deref(), Some("false"));
    let all = ask(&s3, "GET", "/b?list-type=2", &[], b"");
    assert_eq!(all.elements("Key"), ["backups/one/log", "backups/one/tar", "backups/two/tar", "metadata"]);
    assert_eq!(all.elements("Size"), ["15", "15", "15", "8"]);
}

#[test]
fn an_upload_in_parts_is_one_object_when_it_is_complete() {
    const PART: usize = 5 * 1024 * 1024;
    let s3 = with_bucket();
    let id = ask(&s3, "POST", "/b/big?uploads", &[], b"").element("UploadId").expect("an upload id");
    let listed = [(1, vec![b'a'; PART]), (2, vec![b'b'; 10])].map(|(number, bytes)| {
        let answer = ask(&s3, "PUT", &format!("/b/big?partNumber={number}&uploadId={id}"), &[], &bytes);
        let etag = answer.header("etag").expect("a part's ETag");
        format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>")
    });
    let listed = listed.concat();
    assert!(s3.object("b", "big").is_none());
    let list = format!("<CompleteMultipartUpload xmlns=\"x\">{listed}</CompleteMultipartUpload>");
    let complete = ask(&s3, "POST", &format!("/b/big?uploadId={id}"), &[], list.as_bytes());
    assert_eq!(complete.status, 200, "{}", complete.text());
    assert!(complete.element("ETag").expect("an ETag").contains("-2"));
    assert_eq!(s3.object("b", "big").map(|o| o.len()), Some(PART + 10));
    assert_eq!(ask(&s3, "POST", &format!("/b/big?uploadId={id}"), &[], list.as_bytes()).status, 404);
}

fn check_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.element("Code").as_deref()), (status, Some(code)), "{}", answer.text());
}

#[test]
fn what_it_cannot_do_it_refuses() {
    let s3 = with_bucket();
    s3.put("b", "k", "v");
    check_refused(&send(&s3.url(), "GET", "/b/k", &[], b""), 403, "AccessDenied");
    check_refused(&ask(&s3, "GET", "/b/none", &[], b""), 404, "NoSuchKey");
    check_refused(&ask(&s3, "GET", "/none/k", &[], b""), 404, "NoSuchBucket");
    check_refused(&ask(&s3, "DELETE", "/b", &[], b""), 409, "BucketNotEmpty");
    check_refused(&ask(&s3, "GET", "/b?versions", &[], b""), 501, "NotImplemented");
    check_refused(&ask(&s3, "PUT", "/b/k", &[("x-amz-tagging", "a=b")], b"w"), 501, "NotImplemented");
    check_refused(&ask(&s3, "PUT", "/b/k", &[("x-amz-checksum-crc32", "AAAAAA==")], b"w"), 400, "BadDigest");
    check_refused(&ask(&s3, "GET", "/b/k", &[("if-match", "\"other\"")], b""), 412, "PreconditionFailed");
    check_refused(&ask(&s3, "GET", "/b/k", &[("range", "bytes=5-")], b""), 416, "InvalidRange");
    assert_eq!(s3.object("b", "k").as_deref(), Some(&b"v"[..]), "a refused request changed an object");
}

#[test]
fn deleting_many_says_which() {
    let s3 = with_bucket();
    for key in ["a", "b", "c"] {
        s3.put("b", key, "x");
    }
    let list = b"<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>";
    let answer = ask(&s3, "POST", "/b?delete", &[], list);
    assert_eq!((answer.status, answer.elements("Key")), (200, vec!["a".to_owned(), "none".to_owned()]));
    assert_eq!(s3.objects("b", ""), ["b", "c"]);
    let versioned = b"<Delete><Object><Key>b</Key><VersionId>1</VersionId></Object></Delete>";
    check_refused(&ask(&s3, "POST", "/b?delete", &[], versioned), 400, "MalformedXML");
}

#[test]
fn a_location_can_be_unavailable_and_come_back() {
    let s3 = with_bucket();
    for (outage, status, code) in [
        (Outage::Unavailable, 503, "ServiceUnavailable"),
        (Outage::AccessDenied, 403, "AccessDenied"),
        (Outage::NoSuchBucket, 404, "NoSuchBucket"),
    ] {
        s3.set_outage(Some(outage));
        check_refused(&ask(&s3, "GET", "/b?list-type=2", &[], b""), status, code);
    }
    s3.set_outage(Some(Outage::Silent));
    assert_eq!(ask(&s3, "GET", "/b?list-type=2", &[], b"").status, 0);
    s3.set_outage(None);
    assert_eq!(ask(&s3, "GET", "/b?list-type=2", &[], b"").status, 200);
    let seen: Vec<u16> = s3.requests().iter().map(|record| record.status).collect();
    assert_eq!(seen, [200, 503, 403, 404, 0, 200]);
}
