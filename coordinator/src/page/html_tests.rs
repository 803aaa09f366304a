//! The page as text: nothing in it comes alive, nothing comes from elsewhere, and it stays small.

use super::*;
use crate::page::fixtures::{at, group, key, leader, parts, planned, ran, runs, seen};
use crate::page::planned::{Planned, SchedulerWord};
use crate::page::query::Form;
use crate::page::seen::{LeaderSeen, Seen};
use coordinator_core::neighbours::Serving;
use coordinator_core::policy::Complaint;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A whole page is at most this large, bytes: it is fetched every quarter of a minute.
const PAGE_BYTES_MAX: usize = 256 * 1024;

fn render(seen: &Seen, leader: &LeaderSeen, word: &SchedulerWord, query: &str) -> String {
    let query = Query::parse(query, Form::Html).unwrap();
    page(&StatusView::new(parts(seen, leader, word), &query), &query)
}

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";

/// Everything that a user can write, with something hostile in it.
fn hostile() -> (Seen, LeaderSeen, SchedulerWord) {
    let mut odd = ran("prod", "db", Verdict::CrashConsistent, -500);
    odd.workload = Some(HOSTILE.to_owned());
    let last = odd.group.last.as_mut().unwrap();
    (last.why, last.backup) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()));
    let complaint = |rule| Complaint { annotation: "mode", object: HOSTILE.into(), value: HOSTILE.into(), rule };
    odd.ignored.push(complaint("a mode"));
    let mut open = runs("prod", "web", RoundPhase::Waiting, -20);
    open.workload = Some(HOSTILE.to_owned());
    (open.group.wait, open.group.backup) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    let mut seen = seen(vec![odd, open]);
    let limit = seen.limit.as_mut().unwrap();
    limit.why = HOSTILE.to_owned();
    (limit.level, limit.signals[0].evidence, limit.signals[0].source) =
        (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    let leader = LeaderSeen { holder: Some(HOSTILE.to_owned()), ..leader() };
    seen.leads = false;
    let mut word = planned(&[(key("prod", "db"), 5)]);
    let plan = word.planned.take().unwrap();
    let mut plan: Planned = (*plan).clone();
    plan.groups[0].workload = HOSTILE.to_owned();
    plan.zone = HOSTILE.to_owned();
    (plan.shortages, plan.fixes, plan.taken) = (vec![HOSTILE.into()], vec![HOSTILE.into()], vec![HOSTILE.into()]);
    (plan.findings, plan.findings_count) = (vec![HOSTILE.into()], 1);
    word.planned = Some(Arc::new(plan));
    word.failure = Some(HOSTILE.to_owned());
    (seen, leader, word)
}

#[test]
fn what_users_write_stays_text() {
    let (seen, leader, word) = hostile();
    let query = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect::<String>();
    for query in [String::new(), format!("q={query}")] {
        let html = render(&seen, &leader, &word, &query);
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        // In a tag it may stand between quotes only, where a quote of its own would end it.
        for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains("onerror") && !outside.contains("alert"), "{tag}");
        }
        assert!(html.matches("alert(1)").count() >= 1, "it is shown");
    }
    let refused = Query::parse("page=%3Cscript%3E", Form::Html).unwrap_err();
    assert!(!refusal(&refused).contains("<script"), "{}", refusal(&refused));
}

#[test]
fn nothing_from_elsewhere_and_no_script() {
    let (seen, leader, word) = hostile();
    let html = render(&seen, &leader, &word, "");
    for (number, _) in html.match_indices("http") {
        let rest = &html[number..];
        let fine = rest.starts_with("http-equiv") || rest.starts_with("http://www.w3.org/2000/svg");
        assert!(fine, "{}", &rest[..rest.len().min(60)]);
    }
    for forbidden in ["style=\"", "javascript:", " onclick", "<iframe", "url("] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert!(!STYLE.contains("http") && !STYLE.contains("@import") && !STYLE.contains("url(//"));
}

#[test]
fn five_hundred_groups_are_a_page_at_a_time() {
    let verdicts = Verdict::ALL.iter().cycle();
    let groups: Vec<_> = (0..500)
        .zip(verdicts)
        .map(|(n, verdict)| ran(&format!("team-{}", n % 60), &format!("g{n}"), *verdict, -500 - n))
        .collect();
    let plan: Vec<_> = (0..500_u32).map(|n| (key(&format!("team-{}", n % 60), &format!("g{n}")), n % 470)).collect();
    let (seen, leader, word) = (seen(groups), leader(), planned(&plan));
    let html = render(&seen, &leader, &word, "");
    assert!(html.len() < PAGE_BYTES_MAX, "{} bytes", html.len());
    let rows = html.matches("<tr><th scope=\"row\"><span class=\"space\">").count();
    assert_eq!(rows, 50);
    assert!(html.contains("1 to 50 of 500, page 1 of 10"));
    assert!(html.contains("href=\"?page=2#groups\""));
    // The worst first, the latest of them first of all: of the first five, g2 is crash-consistent and g4 failed.
    let first = html.split("<span class=\"space\">").nth(1).unwrap();
    assert!(first.starts_with("team-2/</span>g2"), "{}", &first[..60]);
    let last = render(&seen, &leader, &word, "page=99");
    assert!(last.contains("451 to 500 of 500, page 10 of 10"));
    let found = render(&seen, &leader, &word, "q=g499");
    assert!(found.contains("Groups <span class=\"count\">1 of 500</span>"), "{found}");
    let crowd: Vec<_> = (0..10_000_u32).map(|n| (key(&format!("n{}", n % 900), &format!("g{n}")), n % 470)).collect();
    let crowd = render(&seen, &leader, &planned(&crowd), "");
    assert!(crowd.len() < PAGE_BYTES_MAX, "{} bytes", crowd.len());
}

#[test]
fn who_stands_by_says_who_leads() {
    let mut seen = seen(vec![group("prod", "db")]);
    seen.leads = false;
    let leader = LeaderSeen { holder: Some("c-1".into()), ..leader() };
    let html = render(&seen, &leader, &SchedulerWord { mode: "apply", ..SchedulerWord::default() }, "");
    assert!(html.contains("stands by; c-1 leads") && html.contains("port-forward pod/c-1 8080"), "{html}");
    assert!(
        html.contains("the leader alone writes Schedules") && html.contains("It is made now: look again."),
        "{html}"
    );
    let html = render(&seen, &leader, &planned(&[(key("prod", "db"), 10)]), "");
    assert!(html.contains("<desc id=\"night-description\">") && !html.contains("look again"), "{html}");
    let html = render(&seen, &leader, &SchedulerWord { mode: "off", ..SchedulerWord::default() }, "");
    assert!(!html.contains("the leader alone writes Schedules") && html.contains("--schedules off"), "{html}");
    let nobody = LeaderSeen { holder: None, ..leader };
    assert!(render(&seen, &nobody, &SchedulerWord::default(), "").contains("nobody leads"));
    let serving = Serving { namespace: "backup".parse().unwrap(), holder: "b-0".to_owned() };
    let back = LeaderSeen { stands_back: Some(serving), ..nobody };
    let html = render(&seen, &back, &SchedulerWord { mode: "apply", ..SchedulerWord::default() }, "");
    assert!(html.contains("Another install serves this cluster, so nothing is planned here."), "{html}");
}

#[test]
fn it_looks_again_unless_it_is_told_not_to() {
    let (seen, leader, word) = (seen(vec![]), leader(), SchedulerWord::default());
    assert!(render(&seen, &leader, &word, "").contains("<meta http-equiv=\"refresh\" content=\"15\">"));
    assert!(render(&seen, &leader, &word, "refresh=60").contains("content=\"60\""));
    let paused = render(&seen, &leader, &word, "refresh=off");
    assert!(!paused.contains("http-equiv") && paused.contains("Refresh by itself"));
}

#[test]
fn lengths_of_time() {
    let (seen, leader, word) = (seen(vec![]), leader(), SchedulerWord::default());
    let query = Query::parse("", Form::Html).unwrap();
    let view = StatusView::new(parts(&seen, &leader, &word), &query);
    let page = Page { view: &view, query: &query, timeline: None };
    assert_eq!((page.length(&470).as_str(), page.length(&12_400).as_str()), ("0.4 s", "12 s"));
    assert_eq!((page.since(&at(-59)).as_str(), page.since(&at(-7_300)).as_str()), ("59 s", "2 h"));
    assert_eq!(page.since(&at(5)), "0 s", "clocks differ a little");
    assert_eq!(page.until(&at(600)), "10 min");
}

/// `--name: #rrggbb` of a theme.
fn palette(dark: bool) -> BTreeMap<&'static str, [u8; 3]> {
    let part = STYLE.split("@media (prefers-color-scheme: dark)").nth(usize::from(dark)).unwrap();
    let block = part.split(":root {").nth(1).unwrap().split('}').next().unwrap();
    let pairs = block.split(';').filter_map(|pair| pair.trim().strip_prefix("--")?.split_once(": #"));
    let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    pairs.map(|(name, hex)| (name, [byte(hex, 0), byte(hex, 2), byte(hex, 4)])).collect()
}

/// WCAG 2's contrast ratio.
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let linear = |byte: u8| {
        let part = f64::from(byte) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (light, dark) = (luminance(a).max(luminance(b)), luminance(a).min(luminance(b)));
    (light + 0.05) / (dark + 0.05)
}

#[test]
fn text_can_be_read_in_both_themes() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
    for dark in [false, true] {
        let colours = palette(dark);
        assert_eq!(colours.len(), 21, "{colours:?}");
        let mut pairs = vec![];
        for text in ["text", "soft", "link", "bad", "now"] {
            pairs.extend(["ground", "raised"].map(|ground| (text, ground)));
        }
        let graded = ["good", "fair", "unproven", "bad", "never"];
        let grounds = ["good-ground", "fair-ground", "unproven-ground", "bad-ground", "never-ground"];
        pairs.extend(graded.into_iter().zip(grounds));
        // Words lie over the load's area in the picture.
        pairs.extend([("bad", "load"), ("text", "closed")]);
        for (text, ground) in pairs {
            let ratio = contrast(colours[text], colours[ground]);
            assert!(ratio >= 4.5, "{text} on {ground}, dark {dark}: {ratio:.2}");
        }
        // Shapes need 3:1 against what they lie on.
        for bar in ["good-bar", "fair-bar", "soft"] {
            let ratio = contrast(colours[bar], colours["ground"]);
            assert!(ratio >= 3.0, "{bar}, dark {dark}: {ratio:.2}");
        }
    }
}
