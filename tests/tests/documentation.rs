//! Is what the documentation's pages name there: files, headings, flags, settings, Events and log lines?
//!
//! What their commands do is tried elsewhere (`api_manifests/pages.rs`, `cli_inject.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is logged, and the reasons of Kubernetes Events.
const EVENTS: &str = include_str!("../../coordinator/EVENTS.md");

/// Commands of both programs.
const COMMANDS: [(&str, &[&str]); 2] = [
    ("coordinator", &["run", "plan", "status", "doctor", "receipts", "verify", "simulate"]),
    ("hook-agent", &["pre", "post", "sidecar", "ready", "install", "inject"]),
];

/// Files of the tree whose name ends so, with their text.
fn files(end: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from(ROOT)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && name.ends_with(end) {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no {end} under {ROOT}");
    found
}

/// What each command's `--help` says, by `coordinator run` and the like.
fn helps() -> BTreeMap<String, String> {
    let mut helps = BTreeMap::new();
    for (program, commands) in COMMANDS {
        let path =
            if program == "coordinator" { testbed::binaries::coordinator() } else { testbed::binaries::hook_agent() };
        for command in commands {
            let output = Command::new(path).args([command, "--help"]).output().expect("it runs");
            assert!(output.status.success(), "{program} {command} --help");
            helps.insert(format!("{program} {command}"), String::from_utf8_lossy(&output.stdout).into_owned());
        }
    }
    helps
}

/// Words of `text` that begin with `--`, without what follows a name.
fn flags(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = text.match_indices("--").filter(|(at, _)| !text[..*at].ends_with(|c: char| is_name(c) || c == '_'));
    let names = starts.map(|(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
    });
    names.filter(|name| name.len() > 2 && !name.ends_with('-')).collect()
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Targets of links, `](target)`, outside of code.
fn links(line: &str) -> Vec<&str> {
    let outside = line.split('`').step_by(2);
    outside.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| Some(rest.split_once(')')?.0)).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (page, text) in files(".md") {
        for link in prose(&text).flat_map(links).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            seen += 1;
            if !target.exists() {
                wrong.push(format!("{}: {link}: no such file", page.display()));
            } else if !heading.is_empty() {
                let there = std::fs::read_to_string(&target).unwrap_or_default();
                let headings =
                    prose(&there).filter_map(|line| Some(line.trim_start_matches('#')).filter(|it| *it != line));
                if !headings.map(anchor).any(|it| it == heading) {
                    wrong.push(format!("{}: {link}: no such heading", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty() && seen > 60, "{seen} links: {wrong:#?}");
}

/// `coordinator plan --diff` and the like, up to the end of a command in a line.
#[test]
fn commands_have_the_flags_that_pages_give_them() {
    let (helps, mut wrong, mut seen) = (helps(), Vec::new(), 0);
    for (page, text) in files(".md") {
        for line in text.lines() {
            for (command, help) in &helps {
                for rest in line.split(command.as_str()).skip(1) {
                    let end = rest.find(['`', '|', '#', ';', '"', ')']).unwrap_or(rest.len());
                    for flag in flags(&rest[..end]) {
                        seen += 1;
                        if !flags(help).contains(flag) {
                            wrong.push(format!("{}: {command} has no {flag}: {line}", page.display()));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty() && seen > 20, "{seen} flags: {wrong:#?}");
}

/// The README's tables of settings: the header names the commands, the first cell of each row their flags.
#[test]
fn tables_of_settings_name_flags_that_are_there() {
    let (helps, readme) = (helps(), include_str!("../../README.md"));
    let (mut of, mut seen) = (Vec::new(), 0);
    for line in readme.lines() {
        let Some(cell) = line.strip_prefix('|').and_then(|rest| Some(rest.split('|').next()?.trim())) else {
            of.clear();
            continue;
        };
        let commands: Vec<&String> = cell.split(", ").filter_map(|name| helps.get(name)).collect();
        if !commands.is_empty() {
            of = commands;
        } else if cell.starts_with("`--") && !of.is_empty() {
            for flag in flags(cell) {
                seen += 1;
                let mut has = of.iter().map(|help| flags(help).contains(flag));
                let there = if cell.ends_with("alone)") { has.any(|it| it) } else { has.all(|it| it) };
                assert!(there, "{flag}: {line}");
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

/// Settings of overlays and components, and of the pages' overlays: a misspelt one would be ignored.
#[test]
fn settings_in_manifests_and_pages_are_variables_of_the_coordinator() {
    let help = &helps()["coordinator run"];
    let mut settings = BTreeSet::new();
    let texts = [files("kustomization.yaml"), files("settings.env"), files("install.md"), files("upgrade.md")].concat();
    for (_, text) in &texts {
        for line in text.lines().map(|line| line.trim_start_matches([' ', '-'])) {
            let Some((name, _)) = line.split_once('=') else { continue };
            if name.len() > 3 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
                settings.insert(name);
            }
        }
    }
    assert!(settings.len() > 5, "{settings:?}");
    for name in settings {
        assert!(help.contains(&format!("[env: {name}=")), "coordinator run reads no {name}");
    }
}

/// What runbooks look for is what is said; and kubectl shows the last ten lines alone of pods that are named by a label.
#[test]
fn runbooks_look_for_what_is_logged_and_look_at_all_of_it() {
    for (page, text) in files(".md") {
        let page = page.display();
        for line in text.lines() {
            for reason in line.split("--field-selector reason=").skip(1) {
                let reason: String = reason.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(EVENTS.contains(&format!("`{reason}`")), "{page}: no Event has the reason {reason}");
            }
            if line.contains(" logs -l ") {
                assert!(line.contains("--tail"), "{page}: ten lines at most: {line}");
                // What follows `#` is for the reader.
                let searched = line.split("| grep ").nth(1).and_then(|it| it.split('#').next());
                let words = searched.iter().flat_map(|it| it.split(['|', '\'', ' ']));
                for event_type in words.filter(|it| it.contains('_')) {
                    assert!(EVENTS.contains(&format!("| `{event_type}` |")), "{page}: nothing logs {event_type}");
                }
            }
        }
    }
}

#[test]
fn flags_anchors_and_links_are_read_as_they_stand() {
    assert_eq!(flags("a --b-c=1 --d, x--e `--f` --g-{h}"), BTreeSet::from(["--b-c", "--d", "--f"]));
    assert_eq!(anchor("5. Let a namespace take part"), "5-let-a-namespace-take-part");
    assert_eq!(anchor("`a_b`, and C's?"), "a_b-and-cs");
    assert_eq!(links("[a](b.md#c) `[d](e)` [f](g)"), ["b.md#c", "g"]);
    assert_eq!(prose("a\n```sh\nb\n```\nc").collect::<Vec<_>>(), ["a", "c"]);
    assert!(Path::new(ROOT).join("docs").is_dir());
}
