//! Does each fault of the embedded server look to a client like the trouble it stands for?

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use testbed::api::{ApiServer, Effect, Fault, ServerOptions, Target, Verb};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longest wait for anything in here; only a failing test comes near it.
const LIMIT: Duration = Duration::from_secs(10);

struct Bed {
    server: ApiServer,
    leases: Api<Lease>,
}

impl Bed {
    async fn start() -> Self {
        let server = ApiServer::start(ServerOptions::default()).await.expect("a server on loopback");
        let leases = Api::namespaced(server.client(), "default");
        let bed = Self { server, leases };
        bed.create("a").await.expect("created");
        bed
    }

    async fn create(&self, name: &str) -> Result<Lease, kube::Error> {
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}});
        self.leases.create(&PostParams::default(), &serde_json::from_value(lease).expect("a lease")).await
    }

    async fn touch(&self, holder: &str) -> Result<Lease, kube::Error> {
        let patch = Patch::Merge(json!({"spec": {"holderIdentity": holder}}));
        self.leases.patch("a", &PatchParams::default(), &patch).await
    }

    fn holder(&self) -> Option<String> {
        let stored = self.server.get("coordination.k8s.io/v1", "Lease", "default", "a")?;
        stored.value["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }
}

fn target() -> Target {
    Target::any().resource("leases").name("a")
}

#[tokio::test]
async fn refusals_carry_their_status_reason_and_delay() {
    let bed = Bed::start().await;
    for (code, reason) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (410, "Expired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ] {
        let id =
            bed.server.faults().add(Fault::new(target(), Effect::Refuse { code, retry_after_s: Some(7) }).first(1));
        match bed.leases.get("a").await {
            Err(kube::Error::Api(status)) => {
                assert_eq!((status.code, status.reason.as_str()), (code, reason));
                assert_eq!(status.details.map(|d| d.retry_after_seconds), Some(7), "{code}");
            }
            other => panic!("expected {code}, got {other:?}"),
        }
        assert!(bed.leases.get("a").await.is_ok(), "struck once only");
        assert_eq!(bed.server.faults().remove(id), Some(1));
    }
}

#[tokio::test]
async fn a_refused_write_is_not_carried_out_and_a_lost_one_is() {
    let bed = Bed::start().await;
    bed.server.faults().add(Fault::new(target(), Effect::Refuse { code: 500, retry_after_s: None }).first(1));
    assert!(bed.touch("refused").await.is_err());
    assert_eq!(bed.holder(), None);
    bed.server.faults().add(Fault::new(target(), Effect::LoseAnswer).first(1));
    assert!(!matches!(bed.touch("lost").await, Ok(_) | Err(kube::Error::Api(_))));
    assert_eq!(bed.holder().as_deref(), Some("lost"));
    bed.server.faults().add(Fault::new(target(), Effect::CutAnswer).first(1));
    assert!(!matches!(bed.touch("cut").await, Ok(_) | Err(kube::Error::Api(_))));
    assert_eq!(bed.holder().as_deref(), Some("cut"));
    let unanswered = bed.server.requests().iter().filter(|r| r.verb == "patch" && r.status == 0).count();
    assert_eq!(unanswered, 1, "only the lost one had no answer at all");
}

#[tokio::test]
async fn garbage_is_no_json() {
    let bed = Bed::start().await;
    bed.server.faults().add(Fault::new(target().verb(Verb::Get), Effect::Garbage));
    assert!(!matches!(bed.leases.get("a").await, Ok(_) | Err(kube::Error::Api(_))));
    bed.server.faults().clear();
    assert!(bed.leases.get("a").await.is_ok());
}

#[tokio::test]
async fn a_delay_delays_and_silence_lasts_until_it_is_removed() {
    let bed = Bed::start().await;
    let delay = Duration::from_millis(80);
    bed.server.faults().add(Fault::new(target(), Effect::Delay(delay)).first(1));
    let begun = Instant::now();
    bed.leases.get("a").await.expect("late but right");
    assert!(begun.elapsed() >= delay);

    let id = bed.server.faults().add(Fault::new(target(), Effect::Silence));
    let leases = bed.leases.clone();
    let silent = tokio::spawn(async move { leases.get("a").await });
    let struck = async {
        while bed.server.faults().struck(id) != Some(1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, struck).await.expect("the request arrives");
    assert!(!silent.is_finished());
    bed.server.faults().remove(id);
    let ended = tokio::time::timeout(LIMIT, silent).await.expect("ends with the fault").expect("no panic");
    assert!(!matches!(ended, Ok(_) | Err(kube::Error::Api(_))));
}

#[tokio::test]
async fn a_server_that_is_down_refuses_connections_and_comes_back_on_its_port() {
    let bed = Bed::start().await;
    let url = bed.server.url();
    bed.server.go_down().await;
    assert!(bed.leases.get("a").await.is_err());
    bed.server.come_back().await.expect("the port is kept");
    assert_eq!(bed.server.url(), url);
    assert!(bed.leases.get("a").await.is_ok());
}

async fn names(
    bed: &Bed,
    watch: impl futures::Stream<Item = kube::Result<WatchEvent<Lease>>>,
    count: usize,
) -> Vec<String> {
    let told = watch.take(count).map(|event| match event {
        Ok(WatchEvent::Added(l) | WatchEvent::Modified(l) | WatchEvent::Deleted(l)) => {
            l.metadata.name.unwrap_or_default()
        }
        other => panic!("expected an event of a lease, got {other:?}"),
    });
    let told = tokio::time::timeout(LIMIT, told.collect()).await;
    told.unwrap_or_else(|_| panic!("fewer than {count} events; requests: {:?}", bed.server.requests().len()))
}

#[tokio::test]
async fn events_are_dropped_and_replayed() {
    let bed = Bed::start().await;
    let version = bed.server.store().revision().to_string();
    let watch = bed.leases.watch(&WatchParams::default(), &version).await.expect("a watch");
    bed.server.faults().add(Fault::new(Target::any().name("dropped"), Effect::DropEvent));
    bed.server.faults().add(Fault::new(Target::any().name("again"), Effect::ReplayEvent).first(1));
    for name in ["one", "dropped", "again", "last"] {
        bed.create(name).await.expect("created");
    }
    assert_eq!(names(&bed, watch, 5).await, ["one", "again", "one", "again", "last"]);
}

#[tokio::test]
async fn watches_end_and_are_cut() {
    let bed = Bed::start().await;
    let version = bed.server.store().revision().to_string();
    bed.server.faults().add(Fault::new(Target::any().name("end"), Effect::EndWatch).first(1));
    let ended = bed.leases.watch(&WatchParams::default(), &version).await.expect("a watch");
    bed.create("before").await.expect("created");
    bed.create("end").await.expect("created");
    let seen: Vec<_> = tokio::time::timeout(LIMIT, ended.collect::<Vec<_>>()).await.expect("the watch ends");
    assert_eq!(seen.iter().filter(|e| e.is_ok()).count(), 1, "{seen:?}");

    let hung_up = bed.leases.watch(&WatchParams::default(), "0").await.expect("a watch");
    bed.server.store().hang_up(None);
    let seen: Vec<_> = tokio::time::timeout(LIMIT, hung_up.collect::<Vec<_>>()).await.expect("the watch ends");
    assert!(seen.iter().all(Result::is_ok), "{seen:?}");
}

/// What comes back over a connection of our own until the server closes it: kube's client hides how a watch ended.
async fn raw(bed: &Bed, path: &str) -> String {
    let address = bed.server.url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(LIMIT, read).await.expect("the server closes the connection").expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_cut_answer_breaks_off_in_the_middle() {
    let bed = Bed::start().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    for path in [format!("{leases}?watch=true"), format!("{leases}/a")] {
        bed.server.faults().add(Fault::new(Target::any().resource("leases"), Effect::CutAnswer).first(1));
        let answer = raw(&bed, &path).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("\"coordination.k8s.io/v1\""), "something of the object arrives: {answer}");
        assert!(!answer.contains("\n0\r\n\r\n"), "no last chunk: {answer}");
        bed.server.faults().clear();
    }
}

#[tokio::test]
async fn a_stale_list_is_of_an_earlier_revision() {
    let bed = Bed::start().await;
    bed.touch("first").await.expect("patched");
    let then = bed.server.store().revision().to_string();
    bed.touch("second").await.expect("patched");
    bed.create("b").await.expect("created");
    bed.server.faults().add(Fault::new(Target::any().verb(Verb::List), Effect::StaleList { behind: 2 }).first(1));
    let stale = bed.leases.list(&ListParams::default()).await.expect("listed");
    assert_eq!(stale.metadata.resource_version, Some(then));
    let holders: Vec<_> = stale.items.iter().map(|l| l.spec.as_ref().and_then(|s| s.holder_identity.clone())).collect();
    assert_eq!(holders, [Some("first".to_owned())]);
    assert_eq!(bed.leases.list(&ListParams::default()).await.expect("listed").items.len(), 2);
}

#[tokio::test]
async fn faults_can_be_for_one_user() {
    let bed = Bed::start().await;
    let theirs: Api<Lease> =
        Api::namespaced(bed.server.client_with_token(&bed.server.token_for_user("unlucky")), "default");
    bed.server
        .faults()
        .add(Fault::new(Target::any().user("unlucky"), Effect::Refuse { code: 403, retry_after_s: None }));
    assert!(theirs.get("a").await.is_err());
    assert!(bed.leases.get("a").await.is_ok());
}
