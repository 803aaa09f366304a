//! The status page of real coordinators: what it shows of a round, a plan and a leader, and what a browser is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::api::ServerOptions;
use testbed::coordinator_bed::{CoordinatorBed, Member};
use testbed::coordinator_process::CoordinatorProcess;
use testbed::velero::cluster::Workload;

const SOON: Duration = Duration::from_mins(2);
const DRY_RUN: [&str; 4] = ["--schedules", "dry-run", "--check-interval-seconds", "10"];
const NO_FLAGS: [&str; 0] = [];

async fn bed() -> CoordinatorBed {
    CoordinatorBed::start(ServerOptions::default()).await.unwrap()
}

/// The document, once it fits.
async fn status(coordinator: &CoordinatorProcess, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let answer = coordinator.get("/status.json").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        if fits(&document) {
            return document;
        }
        assert!(begin.elapsed() < SOON, "waited in vain for {what}: {document:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn raw(address: SocketAddr, path: &str) -> String {
    said(address, "GET", path).await
}

/// The whole answer, as it comes.
async fn said(address: SocketAddr, method: &str, path: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let talk = move || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    tokio::task::spawn_blocking(talk).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_seen_while_it_runs_and_by_its_receipt() {
    let bed = bed().await;
    let made = bed.workload(&Workload::stateful_set("prod", "db", 1)).await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    let known = status(&coordinator, "the group", |document| {
        document["role"] == "leads" && document["groups"]["items"][0]["workload"] == "db"
    });
    let known = known.await;
    let group = known["groups"]["items"][0]["group"].as_str().unwrap().to_owned();
    assert_eq!((&known["groups"]["items"][0]["volumes"], &known["totals"]["neverRan"]), (&json!(1), &json!(1)));
    assert_eq!((&known["schedules"]["mode"], &known["night"]), (&json!("off"), &Value::Null));

    let mut member = Member::register(&bed, &made.pods[0], &group, 1).await.unwrap();
    let open = status(&coordinator, "the round", |document| document["totals"]["roundsRunning"] == 1).await;
    assert_eq!(open["budget"]["granted"], 1, "{open:#}");
    let page = coordinator.get("/").await.body;
    assert!(page.contains("<th scope=\"row\">prod/db</th>") && page.contains("released"), "{page}");

    let epoch = member.admitted_by().await.unwrap().expect("it is released");
    member.quiesce(epoch).await.unwrap();
    member.finish().await.unwrap();
    let over = status(&coordinator, "the receipt", |document| !document["groups"]["items"][0]["last"].is_null()).await;
    let last = &over["groups"]["items"][0]["last"];
    let page = coordinator.get("/").await.body;
    assert!(page.contains(&format!(">{}</span>", last["verdict"].as_str().unwrap())), "{last} {page}");
    assert!(page.contains("No group is being backed up now."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_shows_the_night_and_so_does_who_stands_by_and_names_it() {
    let bed = bed().await;
    let odd =
        Workload::stateful_set("prod", "db", 2).annotation("snapshot-group.velero.io/frozen-time-max", "<b>soon</b>");
    bed.workload(&odd).await;
    let paused = json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "spec": {"schedule": "0 1 * * *", "paused": true, "template": {}},
        "metadata": {"namespace": "velero", "name": "auto-old", "labels": {"app.kubernetes.io/managed-by": "snapshot-scheduler"}}});
    bed.server.put(paused).unwrap_or_else(|e| panic!("{e:?}"));
    let leader = bed.coordinator("c-0", DRY_RUN);
    leader.line("leading", SOON, |_| true).await;
    let follower = bed.coordinator("c-1", DRY_RUN);
    let planned = status(&leader, "a plan", |document| {
        let warned =
            document["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == "schedules-paused"));
        !document["night"].is_null() && document["totals"]["groups"] == 1 && warned
    });
    let planned = planned.await;
    assert_eq!((&planned["night"]["fits"], &planned["schedules"]["mode"]), (&json!(true), &json!("dry-run")));
    assert!(planned["groups"]["items"][0]["nextRunAt"].is_string(), "{planned:#}");
    let page = leader.get("/").await.body;
    assert!(page.contains("<desc id=\"night-description\">") && page.contains("1 run"), "{page}");
    assert!(page.contains("annotation is ignored: impossible values.") && page.contains("&#60;b&#62;soon"), "{page}");
    assert!(!page.contains("<b>soon"));

    let stands_by = status(&follower, "the leader's name and the night", |document| {
        let paused =
            document["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == "schedules-paused"));
        document["role"] == "stands-by" && document["totals"]["groups"] == 1 && document["limit"]["max"] == 5 && paused
    });
    let stands_by = stands_by.await;
    assert_eq!((&stands_by["leader"]["holder"], &stands_by["night"]["fits"]), (&json!("c-0"), &json!(true)));
    let next = |document: &Value| document["groups"]["items"][0]["nextRunAt"].clone();
    assert_eq!(next(&stands_by), next(&planned), "the same plan, by another process");
    let page = follower.get("/").await.body;
    assert!(page.contains("stands by; c-0 leads") && page.contains("prod/</span>db"), "{page}");
    assert!(page.contains("<desc id=\"night-description\">") && page.contains("1 run"), "{page}");
    // It is shown, and nothing else: no line, no metric, no write.
    assert!(follower.lines_of("schedule_calculation").is_empty(), "{:?}", follower.lines());
    assert!(follower.lines_of("schedule_created").is_empty() && follower.lines_of("inventory_finding").is_empty());
    // Nobody looks, nothing is planned: a third one asks for no Schedule.
    let silent = bed.coordinator("c-2", DRY_RUN);
    silent.line("following", SOON, |_| true).await;
    let listed = |user: &str| {
        let requests = bed.server.requests().into_iter();
        requests.filter(|request| request.user == user && request.resource == "schedules").count()
    };
    assert_eq!((listed("c-2"), listed("c-1") > 0), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_told_to_be_strict_and_nonsense_is_refused() {
    let bed = bed().await;
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    let address = coordinator.http_address(SOON).await;
    for (path, status, kind) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/?page=2&q=x&refresh=off", 200, "text/html; charset=utf-8"),
        ("/?page=0", 400, "text/html; charset=utf-8"),
        ("/status.json", 200, "application/json"),
        ("/status.json?rows=many", 400, "application/json"),
        ("/status.css", 200, "text/css; charset=utf-8"),
        ("/favicon.svg", 200, "image/svg+xml"),
    ] {
        let answer = raw(address, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        for header in [
            &format!("content-type: {kind}") as &str,
            "content-security-policy: default-src 'none'; style-src 'self'",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path} lacks {header}: {answer}");
        }
    }
    // What checks a page by HEAD gets the same answer without a body.
    let head = said(address, "HEAD", "/").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("cache-control: no-store") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for method in ["POST", "PUT", "DELETE"] {
        let refused = said(address, method, "/").await;
        assert!(
            refused.starts_with("HTTP/1.1 405") && refused.to_lowercase().contains("allow: get"),
            "{method}: {refused}"
        );
    }
    let refused = coordinator.get("/status.json?page=x").await.body;
    assert!(refused.contains("page `x` is not valid: it must be a whole number from 1 to"), "{refused}");
}
