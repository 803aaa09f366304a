//! Which pod and which group: from token, files, environment and the own Pod, and what wrong ones lead to.

use serde_json::json;
use shared::admission::MemberPhase;
use testbed::api::{Effect, Fault, Target, Verb};

use crate::bed::{Bed, GROUP, NAMESPACE, POD, POD_UID, USER};

/// A well-formed token with these claims; the API server does not know it.
fn token(claims: &str) -> String {
    // base64url of `{}` for the head; the payload is encoded here by hand, as three bytes to four letters.
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut payload = String::new();
    for chunk in claims.as_bytes().chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            payload.push(LETTERS[(word >> (18 - 6 * i) & 63) as usize] as char);
        }
    }
    format!("e30.{payload}.c2ln")
}

#[tokio::test]
async fn a_pod_without_the_label_is_let_go_at_once_and_asks_nobody() {
    let bed = Bed::start().await;
    for labels in ["app=\"db\"\n", "", "velero.io/snapshot-group=\"\"\n"] {
        bed.write("podinfo/labels", labels);
        let ended = bed.hook("pre").run().await;
        ended.check(0, &["no label velero.io/snapshot-group", "prod/db-0"]);
    }
    assert!(bed.asked().is_empty());
}

#[tokio::test]
async fn a_pod_without_the_label_needs_no_identity() {
    let bed = Bed::start().await;
    bed.write("podinfo/labels", "app=\"db\"\n");
    bed.write("token", "garbage");
    bed.hook("pre").run().await.check(0, &["in no snapshot group"]);
}

#[tokio::test]
async fn wrong_labels_are_named() {
    let bed = Bed::start().await;
    for (labels, why) in [
        ("velero.io/snapshot-group=\"not a label\"\n".to_owned(), "not a label"),
        (format!("velero.io/snapshot-group=\"{}\"\n", "g".repeat(300)), "300 characters"),
        ("velero.io/snapshot-group=\"open\n".to_owned(), "closing quote"),
        ("velero.io/snapshot-group=\"a\"\nvelero.io/snapshot-group=\"b\"\n".to_owned(), "second value"),
    ] {
        bed.write("podinfo/labels", &labels);
        bed.hook("pre").run().await.check(14, &[why, "labels", "prod/db-0", "exit code 14"]);
    }
    std::fs::write(bed.path("podinfo/labels"), b"\xff\xfe").expect("written");
    bed.hook("pre").run().await.check(14, &["not text"]);
    bed.hook("pre").env("LABELS_FILE", "/dev/zero").run().await.check(14, &["/dev/zero is longer than"]);
    assert!(bed.asked().is_empty());
}

#[tokio::test]
async fn without_a_labels_file_the_own_pod_is_read_once() {
    let bed = Bed::start().await;
    bed.remove("podinfo/labels");
    let pre = bed.hook("pre").start();
    let attempt = bed.waiting().await;
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &[GROUP, "released in round 7"]);
    bed.hook("post").run().await.check(0, &[GROUP, "let go"]);
    assert_eq!(bed.asked(), ["get pods", "patch leases", "watch leases", "patch leases", "patch leases"]);
}

#[tokio::test]
async fn an_own_pod_without_the_label_is_let_go() {
    let bed = Bed::start().await;
    bed.remove("podinfo/labels");
    bed.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": NAMESPACE, "uid": POD_UID},
        "spec": {"containers": [{"name": "db", "image": "db"}]},
    }));
    bed.hook("pre").run().await.check(0, &["no label velero.io/snapshot-group"]);
    assert_eq!(bed.asked(), ["get pods"]);
}

#[tokio::test]
async fn an_own_pod_that_cannot_be_read_says_what_to_do() {
    let bed = Bed::start().await;
    bed.remove("podinfo/labels");
    let on_pods = || Target::any().user(USER).verb(Verb::Get).resource("pods");
    let fault = bed.api.faults().add(Fault::new(on_pods(), Effect::Refuse { code: 403, retry_after_s: None }));
    bed.hook("pre").run().await.check(14, &["answered 403", "mount labels", "allow `get` on pods"]);
    bed.api.faults().remove(fault);
    bed.hook("pre").env("POD_NAME", "other").run().await.check(14, &["prod/other", "answered 404"]);
    // Nobody answers: no group can be told, and no backup is stopped for it.
    let silent = || bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s");
    bed.api.faults().add(Fault::new(on_pods(), Effect::Refuse { code: 500, retry_after_s: None }));
    silent().run().await.check(0, &["GOES ON WITHOUT A RELEASE", "answered 500"]);
    silent().env("ON_UNREACHABLE", "fail").run().await.check(11, &["labels could not be read"]);
}

#[tokio::test]
async fn another_pods_uid_is_noticed() {
    let bed = Bed::start().await;
    bed.remove("podinfo/labels");
    bed.hook("pre")
        .env("POD_UID", "copied-from-elsewhere")
        .run()
        .await
        .check(13, &["copied-from-elsewhere", POD_UID, "exit code 13"]);
}

#[tokio::test]
async fn files_and_environment_go_before_the_token() {
    let bed = Bed::start().await;
    bed.write("podinfo/name", "db-9");
    let ended = bed.hook("pre").env("COORDINATOR_TIMEOUT", "1s").run().await;
    ended.check(0, &["prod/db-9"]);
    // Downward API fields that are empty count as not set.
    let ended = bed.hook("pre").env("POD_NAME", POD).env("POD_NAMESPACE", "").env("COORDINATOR_TIMEOUT", "1s").run();
    ended.await.check(0, &["prod/db-0"]);
    assert_eq!(bed.member().expect("a registration").phase, MemberPhase::Quiesced);
    bed.write("podinfo/name", "Not_A_Name");
    bed.hook("pre").run().await.check(13, &["podinfo/name", "Not_A_Name"]);
}

#[tokio::test]
async fn tokens_that_name_no_pod_are_explained() {
    let bed = Bed::start().await;
    for (text, why) in [
        (
            token(r#"{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"prod"}"#),
            "no pod claims",
        ),
        (token(r#"{"kubernetes.io":{"namespace":"prod","serviceaccount":{"name":"default"}}}"#), "no pod claims"),
        (token(r#"{"kubernetes.io":7}"#), "not the expected JSON"),
        ("garbage".to_owned(), "three parts"),
        ("a.b!.c".to_owned(), "not base64"),
        ("x".repeat(100_000), "longer than"),
        (String::new(), "three parts"),
    ] {
        bed.write("token", &text);
        bed.hook("pre").run().await.check(13, &[why, "is not set", "exit code 13"]);
    }
    bed.remove("token");
    bed.hook("pre").run().await.check(13, &["there is no token at"]);
    bed.hook("post").run().await.check(13, &["there is no token at"]);
    assert!(bed.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_is_too_long_for_a_lease() {
    let bed = Bed::start().await;
    let name = "a".repeat(240);
    bed.hook("pre").env("POD_NAME", &name).run().await.check(13, &["237 characters"]);
    bed.hook("post").env("POD_NAME", &name).run().await.check(13, &["237 characters"]);
}
