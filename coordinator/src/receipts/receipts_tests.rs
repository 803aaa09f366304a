//! Annotations as they are found, the order in which they are shown, and how the program ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::verdict::Verdict;

use super::carried::{Carried, Unreadable, Wanted, sort, take};
use super::{exit, text};
use crate::exit::ReceiptsExit;

/// Group `prod/db` in Backup `b`.
fn receipt() -> Value {
    json!({
        "namespace": "prod", "group": "db", "epoch": 7, "backup": "b", "mode": "arrive-and-go", "way": "csi-one-block", "degraded": false,
        "weight": 2, "openedAt": "2026-11-27T02:00:00Z", "closedAt": "2026-11-27T02:00:31Z",
        "members": [
            {"pod": "db-0", "volumes": 1, "end": "done", "admission": "released", "quiescedAt": "2026-11-27T02:00:01Z",
             "thawedAt": "2026-11-27T02:00:16.000001Z", "letGo": "cut",
             "cuts": [{"claim": "data-db-0", "at": "2026-11-27T02:00:05Z", "resolutionMs": 1000}]},
            {"pod": "db-1", "volumes": 2, "end": "never-arrived", "failure": "exit code 16\u{1b}[31m"}
        ],
        "clockErrorMs": 50, "verdict": "crash-consistent", "why": {"reason": "never-quiesced", "pod": "db-1"}
    })
}

const KEY: &str = "receipt.snapshot-group.velero.io/prod.db";
const ALL: Wanted<'_> = Wanted { namespace: None, group: None };

fn carried(key: &str, value: &str) -> Carried {
    let annotations = BTreeMap::from([(key.to_owned(), value.to_owned()), ("other".to_owned(), String::new())]);
    let mut taken = take("velero", "b", &annotations, ALL);
    assert_eq!(taken.len(), 1, "{key}");
    taken.remove(0)
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut value = receipt();
    change(&mut value);
    value.to_string()
}

#[test]
fn what_is_no_receipt_of_this_backup_and_group_says_why() {
    assert!(carried(KEY, &receipt().to_string()).content.is_ok());
    for (value, said) in [
        (String::new(), "it is no receipt that this version reads: EOF"),
        ("{}".to_owned(), "missing field `namespace`"),
        (with(|it| it["verdict"] = json!("perfect")), "unknown variant `perfect`"),
        (with(|it| it["closedAt"] = json!("yesterday")), "`yesterday` is not an RFC 3339 time"),
        (with(|it| it["backup"] = json!("a")), "it is the receipt of Backup a: somebody copied it"),
        (with(|it| it["group"] = json!("web")), "it is the receipt of group prod/web: somebody copied or renamed it"),
        (" ".repeat(40_000), "it is 40000 bytes long; a receipt has at most 32768"),
    ] {
        let said_here = carried(KEY, &value).content.unwrap_err().to_string();
        assert!(said_here.contains(said) && said_here.len() < 300, "{value}: {said_here}");
    }
}

#[test]
fn only_what_is_asked_for_and_what_may_be_it() {
    let (prod, db) = ("prod".parse().unwrap(), "db".parse().unwrap());
    let (test, web) = ("test".parse().unwrap(), "web".parse().unwrap());
    for value in [receipt().to_string(), "broken".to_owned()] {
        let annotations = BTreeMap::from([(KEY.to_owned(), value)]);
        let count = |namespace, group| take("velero", "b", &annotations, Wanted { namespace, group }).len();
        assert_eq!((count(Some(&prod), None), count(None, Some(&db)), count(Some(&prod), Some(&db))), (1, 1, 1));
        assert_eq!((count(Some(&test), None), count(None, Some(&web))), (0, 0));
    }
    // A key that may end in a hash may be anybody's.
    let long = format!("receipt.snapshot-group.velero.io/{}", "x".repeat(63));
    let annotations = BTreeMap::from([(long, "broken".to_owned())]);
    assert_eq!(take("velero", "b", &annotations, Wanted { namespace: Some(&prod), group: None }).len(), 1);
}

#[test]
fn the_newest_backup_comes_first_and_what_cannot_be_read_after_its_neighbours() {
    let of = |backup: &str, group: &str, closed: Option<&str>| {
        let value = with(|it| {
            (it["backup"], it["group"]) = (json!(backup), json!(group));
            it["closedAt"] = json!(closed.unwrap_or("never"));
        });
        let key = format!("receipt.snapshot-group.velero.io/prod.{group}");
        take("velero", backup, &BTreeMap::from([(key, value)]), ALL).remove(0)
    };
    let mut receipts = vec![
        of("a", "x", Some("2026-11-25T00:00:00Z")),
        of("c", "a", None),
        of("b", "y", None),
        of("b", "x", Some("2026-11-26T00:00:00Z")),
        of("b", "z", Some("2026-11-27T00:00:00Z")),
    ];
    sort(&mut receipts);
    let order: Vec<(&str, &str)> =
        receipts.iter().map(|it| (it.backup.as_str(), &it.annotation[it.annotation.len() - 1..])).collect();
    assert_eq!(order, [("b", "z"), ("b", "x"), ("b", "y"), ("a", "x"), ("c", "a")]);
}

#[test]
fn the_table_says_all_that_a_person_asks_in_100_columns() {
    let shown = text::render(&[carried(KEY, &receipt().to_string()), carried(KEY, "{}")]);
    let expected = "\
Backup velero/b

  prod/db: crash-consistent
    db-1 was expected and never quiesced
    closed   2026-11-27T02:00:31.000000Z
    mode     arrive-and-go, csi-one-block, round 7
    members  1 of 2 arrived
    cuts     1 seen, how far apart is not known
    held     not all held still; clocks at most 50ms apart

    HELD       ADMISSION    END            POD, AND THE CUTS OF ITS VOLUMES
    15001 ms   released     done           db-0
        cut 2026-11-27T02:00:05.000000Z +1000 ms  data-db-0
    not held   -            never arrived  db-1
        its agent said: exit code 16\u{fffd}[31m
        no cut was observed of 2 of its 2 volumes

  cannot be read: receipt.snapshot-group.velero.io/prod.db
    it is no receipt that this version reads: missing field `namespace` at line 1 column 2
";
    assert_eq!(shown, expected);
    let long = with(|it| it["members"][0]["failure"] = json!("quiesce ".repeat(15)));
    assert!(text::render(&[carried(KEY, &long)]).lines().all(|line| line.chars().count() <= 100));
    assert_eq!(text::render(&[]), "No receipts.\n");
}

#[test]
fn the_exit_code_is_of_the_worst() {
    let good = || carried(KEY, &receipt().to_string());
    let broken = || Carried { content: Err(Unreadable::TooLong(40_000)), ..good() };
    for (receipts, fail_below, expected) in [
        (vec![], None, ReceiptsExit::Ok),
        (vec![], Some(Verdict::Unknown), ReceiptsExit::Below),
        (vec![good()], None, ReceiptsExit::Ok),
        (vec![good()], Some(Verdict::MemberConsistent), ReceiptsExit::Below),
        (vec![good()], Some(Verdict::CrashConsistent), ReceiptsExit::Ok),
        (vec![good(), broken()], None, ReceiptsExit::Unreadable),
        (vec![good(), broken()], Some(Verdict::GroupConsistent), ReceiptsExit::Unreadable),
    ] {
        assert_eq!(exit(&receipts, fail_below), expected, "{fail_below:?}");
    }
}
