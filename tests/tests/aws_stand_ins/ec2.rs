//! Does the EC2 stand-in answer as the EC2 API reference says, and does its log tell what really happened?

use std::collections::BTreeSet;
use std::time::Duration;

use testbed::aws::ec2::{Ec2, Limits, NewVolume, Outcome, RequestBucket, StartTimes, VolumeId};

use super::client::{Answer, send};

const SIGNED: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
);
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SOON: Duration = Duration::from_mins(1);

fn ask(url: &str, form: &str) -> Answer {
    let form = format!("Version=2016-11-15&{form}");
    send(url, "POST", "/", &[SIGNED, FORM, ("amz-sdk-request", "attempt=1; max=3")], form.as_bytes())
}

fn with_volumes<const N: usize>() -> (Ec2, [VolumeId; N]) {
    let ec2 = Ec2::start();
    let volumes = std::array::from_fn(|_| ec2.create_volume(NewVolume { size_gib: 8, ..NewVolume::default() }));
    (ec2, volumes)
}

/// Each line: what is asked, the status, and texts that the answer must hold; `{v}` is a volume, `{s}` the first snapshot.
const CONFORMANCE: [(&str, u16, &[&str]); 20] = [
    (
        "Action=CreateSnapshot&VolumeId={v}&Description=d%201&TagSpecification.1.ResourceType=snapshot\
         &TagSpecification.1.Tag.1.Key=velero.io%2Fbackup&TagSpecification.1.Tag.1.Value=b",
        200,
        &[
            "<CreateSnapshotResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>",
            "<volumeId>{v}</volumeId><status>pending</status><startTime>",
            "<progress>0%</progress><ownerId>111122223333</ownerId><volumeSize>8</volumeSize><description>d 1</description>",
            "<tagSet><item><key>velero.io/backup</key><value>b</value></item></tagSet>",
        ],
    ),
    (
        "Action=DescribeSnapshots&SnapshotId.1={s}",
        200,
        &["<snapshotSet><item><snapshotId>{s}</snapshotId>", "<status>pending"],
    ),
    ("Action=DescribeSnapshots&Filter.1.Name=tag:velero.io%2Fbackup&Filter.1.Value.1=b", 200, &["<snapshotId>{s}<"]),
    ("Action=DescribeSnapshots&Filter.1.Name=tag:velero.io%2Fbackup&Filter.1.Value.1=c", 200, &["<snapshotSet/>"]),
    ("Action=DescribeSnapshots&Owner.1=self&Filter.1.Name=status&Filter.1.Value.1=pending", 200, &["<snapshotId>{s}<"]),
    ("Action=DescribeSnapshots&Owner.1=amazon", 200, &["<snapshotSet/>"]),
    (
        "Action=DescribeSnapshots&SnapshotId.1=snap-0",
        400,
        &["<Code>InvalidSnapshot.NotFound</Code>", "'snap-0' does not exist"],
    ),
    (
        "Action=DescribeVolumes&VolumeId.1={v}",
        200,
        &["<size>8</size>", "<status>available</status>", "<volumeType>gp3<"],
    ),
    ("Action=DescribeVolumes&VolumeId.1=vol-0", 400, &["<Code>InvalidVolume.NotFound</Code>"]),
    (
        "Action=CreateVolume&AvailabilityZone=us-east-1b&Size=3&VolumeType=io2&Iops=100",
        200,
        &["<status>creating<", "<iops>100<"],
    ),
    ("Action=CreateVolume&AvailabilityZone=us-east-1b&SnapshotId={s}", 400, &["<Code>IncorrectState</Code>"]),
    ("Action=CreateTags&ResourceId.1={v}&Tag.1.Key=k&Tag.1.Value=1", 200, &["<return>true</return>"]),
    (
        "Action=DescribeTags&Filter.1.Name=resource-id&Filter.1.Value.1={v}",
        200,
        &[
            "<tagSet><item><resourceId>{v}</resourceId><resourceType>volume</resourceType><key>k</key><value>1</value></item></tagSet>",
        ],
    ),
    ("Action=DescribeAvailabilityZones", 200, &["<zoneName>us-east-1a</zoneName><zoneState>available</zoneState>"]),
    ("Action=DescribeAvailabilityZones&DryRun=true", 412, &["<Code>DryRunOperation</Code>"]),
    (
        "Action=CreateSnapshots&InstanceSpecification.InstanceId=i-1",
        400,
        &["<Code>InvalidAction</Code>", "<RequestID>"],
    ),
    ("Action=CreateSnapshot", 400, &["<Code>MissingParameter</Code>"]),
    ("Action=DeleteSnapshot&SnapshotId={s}", 200, &["<DeleteSnapshotResponse", "<return>true</return>"]),
    ("Action=DeleteSnapshot&SnapshotId={s}", 400, &["<Code>InvalidSnapshot.NotFound</Code>"]),
    ("Action=DeleteVolume&VolumeId={v}", 200, &["<return>true</return>"]),
];

#[test]
fn answers_are_those_of_the_reference() {
    let (ec2, [volume]) = with_volumes();
    ec2.change(|settings| settings.pending_for = Duration::from_hours(1));
    let mut snapshot = String::new();
    for (form, status, texts) in CONFORMANCE {
        let fill = |text: &str| text.replace("{v}", volume.as_str()).replace("{s}", &snapshot);
        let answer = ask(&ec2.url(), &fill(form));
        assert_eq!(answer.status, status, "{form}: {}", answer.text());
        for text in texts.iter().map(|text| fill(text)) {
            assert!(answer.text().contains(&text), "{form}: no {text} in {}", answer.text());
        }
        if snapshot.is_empty() {
            snapshot = answer.element("snapshotId").expect("the first call cuts");
        }
    }
    let unsigned = send(&ec2.url(), "POST", "/", &[FORM], b"Version=2016-11-15&Action=DescribeVolumes");
    assert_eq!((unsigned.status, unsigned.element("Code").as_deref()), (403, Some("MissingAuthenticationToken")));
    let calls = ec2.calls();
    assert_eq!(calls.len(), CONFORMANCE.len() + 1);
    assert_eq!(calls[0].attempt.as_deref(), Some("attempt=1; max=3"));
}

#[test]
fn the_log_tells_when_what_was_cut() {
    let (ec2, [volume]) = with_volumes();
    ec2.change(|settings| settings.start_times = StartTimes::WholeSeconds);
    let answer = ask(&ec2.url(), &format!("Action=CreateSnapshot&VolumeId={volume}"));
    let said: jiff::Timestamp = answer.element("startTime").expect("a time").parse().expect("RFC 3339");
    let cuts = ec2.cuts();
    let [cut] = cuts.as_slice() else { panic!("{cuts:?}") };
    assert_eq!((&cut.volume, Some(cut.snapshot.to_string())), (&volume, answer.element("snapshotId")));
    let early = cut.at.duration_since(said);
    assert!(!early.is_negative() && early.as_secs() == 0, "{said} is told of a cut at {}", cut.at);
    ec2.change(|settings| settings.start_times = StartTimes::Milliseconds);
    let answer = ask(&ec2.url(), &format!("Action=CreateSnapshot&VolumeId={volume}"));
    let said: jiff::Timestamp = answer.element("startTime").expect("a time").parse().expect("RFC 3339");
    assert!(ec2.cuts()[1].at.duration_since(said).as_millis() == 0);
}

#[test]
fn each_limit_has_its_code_and_each_refusal_its_own_id() {
    let requests = Some(RequestBucket { burst: 1, refill_per_s: 0.0 });
    let cases = [
        (Limits { requests, ..Limits::none() }, 503, "RequestLimitExceeded"),
        (
            Limits { per_volume_gap: Some(Duration::from_hours(1)), ..Limits::none() },
            400,
            "SnapshotCreationPerVolumeRateExceeded",
        ),
        (Limits { pending_per_account: Some(1), ..Limits::none() }, 400, "PendingSnapshotLimitExceeded"),
        (Limits { snapshots: Some(1), ..Limits::none() }, 400, "SnapshotLimitExceeded"),
    ];
    for (limits, status, code) in cases {
        let (ec2, [volume]) = with_volumes();
        ec2.change(|settings| (settings.limits, settings.pending_for) = (limits, Duration::from_hours(1)));
        let form = format!("Action=CreateSnapshot&VolumeId={volume}");
        assert_eq!(ask(&ec2.url(), &form).status, 200);
        let refused: Vec<Answer> = (0..3).map(|_| ask(&ec2.url(), &form)).collect();
        let ids: BTreeSet<_> = refused.iter().map(|answer| answer.element("RequestID")).collect();
        assert_eq!(ids.len(), 3);
        for answer in &refused {
            assert_eq!((answer.status, answer.element("Code").as_deref()), (status, Some(code)), "{}", answer.text());
        }
        let log = ec2.log();
        assert_eq!((log.refused(code), log.cuts.len()), (3, 1));
        // Limits end when they are taken away.
        ec2.change(|settings| settings.limits = Limits::none());
        assert_eq!(ask(&ec2.url(), &form).status, 200);
    }
}

#[test]
fn simultaneous_calls_cannot_pass_one_slot_together() {
    let (ec2, [volume]) = with_volumes();
    let requests = Some(RequestBucket { burst: 3, refill_per_s: 0.0 });
    ec2.change(|settings| settings.limits.requests = requests);
    let (url, form) = (ec2.url(), format!("Action=CreateSnapshot&VolumeId={volume}"));
    let callers: Vec<_> = (0..20).map(|_| (url.clone(), form.clone())).collect();
    let callers: Vec<_> =
        callers.into_iter().map(|(url, form)| std::thread::spawn(move || ask(&url, &form).status)).collect();
    let done =
        callers.into_iter().map(|caller| caller.join().expect("no panic")).filter(|status| *status == 200).count();
    assert_eq!((done, ec2.cuts().len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_or_lost_answer_is_of_a_snapshot_that_is_there() {
    let (ec2, [volume]) = with_volumes();
    let (url, form) = (ec2.url(), format!("Action=CreateSnapshot&VolumeId={volume}"));
    let in_background = |url: &str, form: &str| {
        let (url, form) = (url.to_owned(), form.to_owned());
        tokio::task::spawn_blocking(move || ask(&url, &form))
    };
    ec2.change(|settings| settings.answers_to_lose = 1);
    assert_eq!(in_background(&url, &form).await.expect("no panic").status, 0);
    assert!(matches!(ec2.calls()[0].outcome, Outcome::CutUnanswered(_)));

    ec2.change(|settings| settings.wait_after_cut = Duration::from_secs(2));
    let late = in_background(&url, &form);
    let cut = ec2.until("the second cut", SOON, |log| log.cuts.get(1).cloned()).await.expect("a cut");
    let described = in_background(&url, "Action=DescribeSnapshots").await.expect("no panic");
    assert_eq!(described.elements("snapshotId").len(), 2, "what is cut is seen, answered or not");
    assert_eq!(late.await.expect("no panic").status, 200);
    let waited = jiff::Timestamp::now().duration_since(cut.at);
    assert!(waited.as_secs() >= 2, "the answer came {waited:?} after the cut");

    // A client that goes away does not take the cut with it.
    ec2.change(|settings| settings.wait_before_cut = Duration::from_secs(2));
    let address = url.strip_prefix("http://").expect("a URL").to_owned();
    let body = format!("Version=2016-11-15&{form}");
    let head =
        format!("POST / HTTP/1.1\r\nhost: x\r\n{}: {}\r\ncontent-length: {}\r\n\r\n", SIGNED.0, SIGNED.1, body.len());
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    std::io::Write::write_all(&mut stream, format!("{head}{body}").as_bytes()).expect("it reads");
    let before = ec2.calls().len();
    ec2.until("the third has arrived", SOON, |log| (log.arrived > before).then_some(())).await.expect("it arrives");
    drop(stream);
    ec2.until("the third cut", SOON, |log| log.cuts.get(2).cloned()).await.expect("a cut");
    let timeout = ec2.until("pigs fly", Duration::from_millis(10), |_| None::<()>).await;
    assert!(timeout.is_err_and(|e| e.to_string().contains("CreateSnapshot")));
}
