//! Are execs given to the right Backups and phases, whatever is read first?

use super::*;
use crate::velero::truth::LogLevel;

fn pod(name: &str) -> ObjectName {
    ObjectName::new("shop", name)
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000 + millisecond).expect("a time")
}

fn line(millisecond: i64, name: &str, command: &str, what: ExecEvent) -> ExecLine {
    let (container, command) = ("main".to_owned(), vec![command.to_owned()]);
    ExecLine { at: at(millisecond), what, pod: pod(name), container, command, pid: 7 }
}

/// A Backup with one block of these pods, each of which has a claim.
fn block(reading: &mut Attribution, backup: &str, pods: &[&str]) -> Vec<Dated> {
    for name in pods {
        assert!(reading.said(at(0), backup, Said::PodTaken(pod(name))).is_empty());
    }
    reading.said(at(0), backup, Said::BlockHanded)
}

fn announce(reading: &mut Attribution, backup: &str, phase: HookPhase, command: &str) {
    let (container, command) = ("main".to_owned(), vec![command.to_owned()]);
    assert!(reading.said(at(0), backup, Said::HookAnnounced { phase, container, command }).is_empty());
}

fn words(facts: &[Dated]) -> String {
    let word = |(_, fact): &Dated| match fact {
        Fact::HookStarted { backup, pod, phase, .. } => format!("{backup} {} {}", phase.as_str(), pod.name),
        Fact::HookExited { exit, .. } => format!("exited {}", exit.as_code()),
        Fact::HookClosed { stdout, .. } => format!("closed {stdout}"),
        Fact::HookReported { backup, pod, phase, reported, .. } => {
            format!("{backup} {} {} told: {reported}", phase.as_str(), pod.name)
        }
        other => format!("{other:?}"),
    };
    facts.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn reading() -> Attribution {
    Attribution::new(Arc::default())
}

#[test]
fn a_block_has_its_pods_in_order_and_their_claims() {
    let mounts = Arc::new(Mounts::default());
    mounts.add(&pod("db-0"), &[ObjectName::new("shop", "data-db-0")]);
    let mut reading = Attribution::new(mounts);
    let facts = block(&mut reading, "b", &["db-1", "db-0", "db-1"]);
    let [(_, Fact::BlockBegun { pods, claims, .. })] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!(*pods, [pod("db-1"), pod("db-0")]);
    assert_eq!(*claims, [(ObjectName::new("shop", "data-db-0"), vec![pod("db-0")])]);
    assert!(block(&mut reading, "b", &["db-0"]).is_empty(), "it was in a block already");
}

#[test]
fn an_exec_goes_to_the_backup_that_has_its_pod() {
    let mut reading = reading();
    block(&mut reading, "one", &["db-0"]);
    block(&mut reading, "two", &["web"]);
    announce(&mut reading, "one", HookPhase::Pre, "pre");
    announce(&mut reading, "two", HookPhase::Pre, "pre");
    assert_eq!(words(&reading.exec(line(1, "web", "pre", ExecEvent::Started))), "two pre web");
    assert_eq!(words(&reading.exec(line(1, "db-0", "pre", ExecEvent::Started))), "one pre db-0");
    assert!(reading.exec(line(2, "db-0", "pre", ExecEvent::Started)).is_empty(), "somebody else's exec");
}

#[test]
fn the_client_is_told_when_nobody_holds_the_output() {
    let mut reading = reading();
    block(&mut reading, "b", &["db-0"]);
    announce(&mut reading, "b", HookPhase::Post, "post");
    reading.exec(line(1, "db-0", "post", ExecEvent::Started));
    assert_eq!(words(&reading.exec(line(2, "db-0", "post", ExecEvent::Ended { code: 7 }))), "exited 7");
    let released = ExecEvent::Released { code: 7, stdout: "said".into(), stderr: String::new() };
    let told = "closed said, b post db-0 told: command terminated with exit code 7";
    assert_eq!(words(&reading.exec(line(3, "db-0", "post", released))), told);
}

#[test]
fn a_timed_out_hook_is_told_once_and_the_nearest_one_is_meant() {
    let mut reading = reading();
    block(&mut reading, "b", &["db-0", "db-1"]);
    for (begin, name) in [(0, "db-0"), (4_000, "db-1")] {
        announce(&mut reading, "b", HookPhase::Pre, "pre");
        reading.exec(ExecLine { pid: u32::from(begin > 0), ..line(begin, name, "pre", ExecEvent::Started) });
    }
    let failed = Said::HookFailed { phase: HookPhase::Pre, error: "timed out after 5s".into() };
    assert_eq!(words(&reading.said(at(9_010), "b", failed)), "b pre db-1 told: timed out after 5s");
    let released = ExecEvent::Released { code: 0, stdout: String::new(), stderr: String::new() };
    let late = ExecLine { pid: 1, ..line(20_000, "db-1", "pre", released) };
    assert_eq!(words(&reading.exec(late)), "closed ", "Velero hears no more of it");
}

#[test]
fn nobody_is_told_after_the_servers_end() {
    let mut reading = reading();
    block(&mut reading, "b", &["db-0"]);
    announce(&mut reading, "b", HookPhase::Pre, "pre");
    reading.exec(line(1, "db-0", "pre", ExecEvent::Started));
    reading.server_ended();
    let released = ExecEvent::Released { code: 0, stdout: String::new(), stderr: String::new() };
    assert_eq!(words(&reading.exec(line(3, "db-0", "pre", released))), "closed ");
}

#[test]
fn a_refused_exec_is_told_at_once() {
    let mut reading = reading();
    block(&mut reading, "b", &["db-0"]);
    announce(&mut reading, "b", HookPhase::Pre, "pre");
    let refused = ExecEvent::Refused { error: "no such file".into() };
    assert_eq!(words(&reading.exec(line(1, "db-0", "pre", refused))), "b pre db-0 told: no such file");
    let (backup, said) = super::super::server_log::read(
        r#"{"backup":"velero/b","level":"error","msg":"Error executing hook","hookPhase":"pre","error.message":"E"}"#,
    )
    .expect("a line of a Backup");
    let logged = Said::Logged { level: LogLevel::Error, message: "message: /Error executing hook error: /E".into() };
    assert_eq!((backup.as_str(), &said[1]), ("b", &logged));
}
