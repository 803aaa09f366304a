//! What applying the plan would change, one line a Schedule, and nothing else.

use std::fmt::Write as _;

use super::view::{ChangeView, View};

/// The lines, with a sum at the end.
pub fn render(view: &View) -> String {
    let mut text = String::new();
    for change in &view.changes {
        line(&mut text, change);
    }
    text + &sum(view)
}

fn line(text: &mut String, change: &ChangeView) {
    let ChangeView { schedule, change, group, cron, cron_from, fields } = change;
    let group = group.as_ref().map(|group| format!(" ({group})")).unwrap_or_default();
    let cron = cron.as_deref().unwrap_or_default();
    let _ = match *change {
        "create" => writeln!(text, "+ {schedule}{group} at \"{cron}\""),
        "remove" => writeln!(text, "- {schedule}"),
        "update" => {
            let when = cron_from.as_ref().map(|from| format!(" \"{from}\" -> \"{cron}\"")).unwrap_or_default();
            let what = if fields.is_empty() { String::new() } else { format!(" changes {}", fields.join(", ")) };
            writeln!(text, "~ {schedule}{group}{when}{what}")
        }
        "paused" => writeln!(text, "  {schedule}{group} is paused by somebody and left alone"),
        "name-taken" => writeln!(
            text,
            "! {schedule}{group} is somebody else's: rename or remove it, or this group is not backed up"
        ),
        _ => Ok(()),
    };
}

/// `Changes: 12 to create, …`.
pub fn sum(view: &View) -> String {
    let count = |word: &str| view.changes.iter().filter(|change| change.change == word).count();
    let (create, update, remove) = (count("create"), count("update"), count("remove"));
    let mut text = if create + update + remove == 0 {
        format!("Nothing to change: {} as planned.", super::words::several(count("keep"), "Schedule"))
    } else {
        format!("To change: {create} to create, {update} to update, {remove} to remove; {} stay.", count("keep"))
    };
    let (paused, taken) = (count("paused"), count("name-taken"));
    if paused > 0 {
        let _ = write!(text, " {paused} are paused by somebody and left alone.");
    }
    if taken > 0 {
        let _ = write!(text, " {taken} names are taken by somebody else's Schedules.");
    }
    if view.schedules_of_others > 0 {
        let _ =
            write!(text, " Not touched: {} of others.", super::words::several(view.schedules_of_others, "Schedule"));
    }
    text + "\n"
}
