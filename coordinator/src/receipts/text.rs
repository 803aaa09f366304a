//! Receipts for people: what was proven first, then the facts that it rests on, at 100 columns.

use shared::duration::format_ms;
use shared::quiesce::LetGo;
use shared::receipt::{CutReceipt, EarlierRounds, MemberEnd, MemberReceipt, Receipt};

use super::carried::Carried;

/// Sentences are broken at this width; only a name that is longer goes beyond.
const COLUMNS: usize = 100;

/// All receipts.
pub fn render(receipts: &[Carried]) -> String {
    let mut text = Text::default();
    if receipts.is_empty() {
        text.line("No receipts.");
    }
    let mut last = None;
    for carried in receipts {
        let Carried { backup_namespace, backup, annotation, content } = carried;
        if last != Some((backup_namespace, backup)) {
            if last.is_some() {
                text.line("");
            }
            text.line(&format!("Backup {backup_namespace}/{backup}"));
            last = Some((backup_namespace, backup));
        }
        text.line("");
        match content {
            Ok(receipt) => text.receipt(receipt),
            Err(why) => {
                text.line(&format!("  cannot be read: {annotation}"));
                text.words(4, &why.to_string());
            }
        }
    }
    text.0
}

/// What is written line by line. Backups come from files and clusters of others: what could move a terminal's cursor is replaced.
#[derive(Default)]
pub struct Text(pub String);

impl Text {
    /// One line as it is.
    pub fn line(&mut self, line: &str) {
        let plain = line.trim_end().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        self.0.extend(plain);
        self.0.push('\n');
    }

    /// A sentence, indented, broken between words.
    pub fn words(&mut self, indent: usize, sentence: &str) {
        let mut line = String::new();
        for word in sentence.split_whitespace() {
            if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > COLUMNS {
                self.line(&format!("{:indent$}{line}", ""));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&format!("{:indent$}{line}", ""));
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let Receipt { namespace, group, verdict, why, closed_at, skew_ms, quiesce_skew_ms, members, .. } = receipt;
        self.line(&format!("  {namespace}/{group}: {verdict}"));
        self.words(4, &why.to_string());
        let apart = skew_ms.map_or_else(
            || "how far apart is not known".to_owned(),
            |ms| format!("at most {} from first to last", format_ms(ms)),
        );
        let still = quiesce_skew_ms.map_or_else(
            || "not all held still".to_owned(),
            |ms| format!("the last held still at most {} after the first", format_ms(ms)),
        );
        let cut_count: usize = members.iter().map(|member| member.cuts.len()).sum();
        for (name, value) in [
            ("closed", closed_at.to_string()),
            ("mode", mode(receipt)),
            ("members", arrived(receipt)),
            ("cuts", format!("{cut_count} seen, {apart}")),
            ("held", format!("{still}; {}", clocks(receipt.clock_error_ms))),
        ] {
            self.line(&format!("    {name:<8} {value}"));
        }
        if let Some(EarlierRounds { count, worst, .. }) = receipt.earlier_rounds.as_deref() {
            self.line(&format!(
                "    {:<8} {count} earlier in this Backup, the worst {worst}; the facts here are the last one's",
                "rounds"
            ));
        }
        if members.is_empty() {
            return;
        }
        self.line("");
        self.line(&format!("    {:<10} {:<12} {:<14} POD, AND THE CUTS OF ITS VOLUMES", "HELD", "ADMISSION", "END"));
        for member in members {
            self.member(member);
        }
    }

    fn member(&mut self, member: &MemberReceipt) {
        let held = match (member.held_ms(), member.quiesced_at) {
            (Some(ms), _) => format!("{ms} ms"),
            (None, Some(_)) => "unknown".to_owned(),
            (None, None) => "not held".to_owned(),
        };
        let admission = member.admission.map_or("-", |admission| admission.as_str());
        self.line(&format!("    {held:<10} {admission:<12} {:<14} {}", end(member.end), member.pod));
        for said in remarks(member) {
            self.words(8, &said);
        }
        for CutReceipt { claim, at, resolution_ms } in &member.cuts {
            self.line(&format!("        cut {at} +{resolution_ms} ms  {claim}"));
        }
        let unseen = usize::try_from(member.volumes).unwrap_or(usize::MAX).saturating_sub(member.cuts.len());
        if unseen > 0 {
            self.line(&format!("        no cut was observed of {unseen} of its {} volumes", member.volumes));
        }
    }
}

fn mode(receipt: &Receipt) -> String {
    let degraded = if receipt.degraded { ", not all came in time" } else { "" };
    let way = receipt.way.map_or_else(String::new, |way| format!(", {way}"));
    let round = receipt.epoch.map_or_else(|| ", never granted".to_owned(), |epoch| format!(", round {epoch}"));
    format!("{}{degraded}{way}{round}", receipt.mode)
}

/// How many of the expected members came.
pub fn counts(receipt: &Receipt) -> (usize, usize) {
    let omitted = usize::try_from(receipt.members_omitted).unwrap_or(usize::MAX);
    let came = receipt.members.iter().filter(|member| member.end != MemberEnd::NeverArrived).count();
    (came, receipt.members.len().saturating_add(omitted))
}

fn arrived(receipt: &Receipt) -> String {
    let (came, expected) = counts(receipt);
    match receipt.members_omitted {
        0 => format!("{came} of {expected} arrived"),
        omitted => format!("{came} that arrived are listed, of {expected}; {omitted} did not fit"),
    }
}

fn clocks(error_ms: Option<u64>) -> String {
    error_ms.map_or_else(
        || "how far the clocks may be apart is not known".to_owned(),
        |ms| format!("clocks at most {} apart", format_ms(ms)),
    )
}

const fn end(end: MemberEnd) -> &'static str {
    match end {
        MemberEnd::Done => "done",
        MemberEnd::Failed => "failed",
        MemberEnd::Withdrawn => "withdrawn",
        MemberEnd::PodGone => "pod gone",
        MemberEnd::Expired => "fell silent",
        MemberEnd::NeverArrived => "never arrived",
        MemberEnd::Open => "open",
    }
}

fn remarks(member: &MemberReceipt) -> Vec<String> {
    let let_go = match member.let_go {
        Some(LetGo::ByItself) => Some("let go by itself, before anybody asked".to_owned()),
        Some(LetGo::Unproven) => Some("nobody can say until when it was held".to_owned()),
        Some(LetGo::NothingFound) => Some("its post hook found nothing that was held".to_owned()),
        Some(LetGo::Asked | LetGo::Cut) | None => None,
    };
    let unheld =
        member.unheld.then(|| "told not to hold still: the policy lets only so many be held at once".to_owned());
    let failure = member.failure.as_ref().map(|said| format!("its agent said: {said}"));
    let_go.into_iter().chain(unheld).chain(failure).collect()
}
