//! What clients over HTTP can and cannot do to a coordinator.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use testbed::api::ServerOptions;
use testbed::coordinator_bed::CoordinatorBed;
use testbed::coordinator_process::CoordinatorProcess;

const SOON: Duration = Duration::from_secs(20);
const NO_FLAGS: [&str; 0] = [];

async fn ready() -> (CoordinatorBed, CoordinatorProcess) {
    let bed = CoordinatorBed::start(ServerOptions::default()).await.unwrap();
    let coordinator = bed.coordinator("c-0", NO_FLAGS);
    coordinator.line("leading", SOON, |_| true).await;
    (bed, coordinator)
}

/// Sends text and reads until the other side closes.
async fn exchange(address: SocketAddr, sent: String) -> String {
    let talk = move || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        // The other side may close before it has read everything: that is an answer too.
        let _ = stream.write_all(sent.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::task::spawn_blocking(talk).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_reading_what_is_there() {
    let (_bed, coordinator) = ready().await;
    let address = coordinator.http_address(SOON).await;
    assert_eq!(coordinator.get("/nothing").await.status, 404);
    assert_eq!(coordinator.get("/metrics/../secret").await.status, 404);
    let put = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    assert!(exchange(address, put.to_owned()).await.starts_with("HTTP/1.1 405"));
    assert!(exchange(address, "no HTTP at all\r\n\r\n".to_owned()).await.starts_with("HTTP/1.1 400"));
    let huge = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    let answer = exchange(address, huge).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(coordinator.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_openmetrics_and_name_nobody() {
    let (_bed, coordinator) = ready().await;
    let address = coordinator.http_address(SOON).await;
    let answer = exchange(address, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned()).await;
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{answer}");
    assert!(answer.contains("snapshot_coordinator_build_info{version="), "{answer}");
    assert!(answer.trim_end().ends_with("# EOF"), "{answer}");
    for line in answer.lines().filter(|line| line.starts_with("snapshot_coordinator_api_requests")) {
        assert!(!line.contains("resource=\"none\"") && !line.contains("c-0"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hold_every_connection_lose_them() {
    let (_bed, coordinator) = ready().await;
    let address = coordinator.http_address(SOON).await;
    // More than it takes at once, each with half a request.
    let held: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost:").unwrap();
            stream
        })
        .collect();
    let begin = Instant::now();
    let answer = exchange(address, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Two generations of idlers, each cut off after 5 s.
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    drop(held);
}
