//! How a length of time is written: as in Velero's hook timeouts, with a unit (`30s`, `10m`, `1h30m`, `1.5h`).

/// The longest length that is accepted: a week in ms. Longer is a slip of the keyboard, not a hook.
pub const DURATION_MS_MAX: u64 = 7 * 24 * 3_600_000;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A bare number. Velero itself takes its 30 s default then (velero#2599), so we refuse instead of guessing.
    #[error("`{0}` has no unit; write {0}s, {0}m or {0}h (Velero would silently take 30s)")]
    NoUnit(String),
    /// Anything else that does not parse.
    #[error("`{0}` is not a length of time; write it as 30s, 10m or 1h30m")]
    Malformed(String),
    /// Negative, or longer than [`DURATION_MS_MAX`].
    #[error("`{0}` is out of range: it must be from 0s to 168h")]
    OutOfRange(String),
}

/// Reads a Go duration (`time.ParseDuration`: h, m, s, ms, us, µs, ns; decimals; sums) into whole ms, rounded down.
pub fn parse_ms(text: &str) -> Result<u64, DurationError> {
    let shown = crate::identity::shorten(text.trim());
    let text = text.trim();
    if text.starts_with('-') {
        return Err(DurationError::OutOfRange(shown));
    }
    if text == "0" {
        return Ok(0);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(DurationError::NoUnit(shown));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(DurationError::Malformed(shown));
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (part, after) = one_part(rest).ok_or_else(|| DurationError::Malformed(shown.clone()))?;
        nanos = nanos.checked_add(part).ok_or_else(|| DurationError::OutOfRange(shown.clone()))?;
        rest = after;
    }
    match u64::try_from(nanos / 1_000_000) {
        Ok(ms) if ms <= DURATION_MS_MAX => Ok(ms),
        _ => Err(DurationError::OutOfRange(shown)),
    }
}

/// Reads one `<number><unit>`; gives its ns and what follows.
fn one_part(text: &str) -> Option<(u128, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(number_end);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let unit_ns: u128 = match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    // 18 digits hold every length in range; more of them before the point are out of range anyway.
    let whole: u128 = if whole.is_empty() { 0 } else { whole.get(..18.min(whole.len()))?.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((whole * unit_ns + part * unit_ns / scale, rest))
}

/// Writes whole ms the shortest way that Velero reads back: `10m`, `90s`, `1500ms`.
pub fn format_ms(ms: u64) -> String {
    match ms {
        0 => "0s".to_owned(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0..=DURATION_MS_MAX) {
            prop_assert_eq!(parse_ms(&format_ms(ms)), Ok(ms));
        }

        #[test]
        fn any_text_parses_or_errs(text in ".{0,60}") {
            let _ = parse_ms(&text);
        }
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, ms) in [
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("0", 0),
            ("250ms", 250),
            (".5s", 500),
            ("+1m", 60_000),
            ("1m0.5s", 60_500),
            ("999us", 0),
        ] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        assert!(matches!(parse_ms("300"), Err(DurationError::NoUnit(_))));
        assert!(matches!(parse_ms("-1s"), Err(DurationError::OutOfRange(_))));
        assert!(matches!(parse_ms("1e9s"), Err(DurationError::Malformed(_))));
        assert!(matches!(parse_ms("99999999999999999999h"), Err(DurationError::OutOfRange(_))));
        for text in ["", "s", "5 m", "1.2.3s", "5x", ".s", "10m5"] {
            assert!(matches!(parse_ms(text), Err(DurationError::Malformed(_))), "{text}");
        }
    }
}
