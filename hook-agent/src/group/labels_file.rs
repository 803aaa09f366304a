//! How the downward API writes labels into a file: `key="value"` lines with Go's escapes (Kubernetes `fieldpath.FormatMap`).

/// A line about the wanted label that is not as Kubernetes writes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsFileError {
    /// The value's quotes or escapes are broken.
    #[error("line {line}: the value is not a quoted text: {why}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Two lines give the label two values.
    #[error("line {line} gives the label a second value")]
    Twice {
        /// Counted from 1.
        line: usize,
    },
}

/// The value of label `key`. Lines about other labels are not looked into. Without quotes a value is taken as it stands,
/// as in files that people write by hand.
pub fn value_of(text: &str, key: &str) -> Result<Option<String>, LabelsFileError> {
    let mut found: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.trim() != key {
            continue;
        }
        let value = unquote(value.trim()).map_err(|why| LabelsFileError::Value { line: line_number, why })?;
        match &found {
            Some(first) if *first != value => return Err(LabelsFileError::Twice { line: line_number }),
            _ => found = Some(value),
        }
    }
    Ok(found)
}

/// Undoes Go's `strconv.Quote`.
fn unquote(text: &str) -> Result<String, &'static str> {
    let Some(rest) = text.strip_prefix('"') else {
        return Ok(text.to_owned());
    };
    let inner = rest.strip_suffix('"').ok_or("the closing quote is missing")?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Err("a quote stands in the middle"),
            '\\' => escaped(&mut chars, &mut bytes)?,
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8")
}

/// Reads what follows a backslash. `\xNN` is a byte, so that only the whole needs to be UTF-8.
fn escaped(chars: &mut std::str::Chars<'_>, bytes: &mut Vec<u8>) -> Result<(), &'static str> {
    let byte = match chars.next().ok_or("a backslash stands at its end")? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(hex(chars, 2)?).map_err(|_| "an escape is wrong")?,
        'u' => return push_char(hex(chars, 4)?, bytes),
        'U' => return push_char(hex(chars, 8)?, bytes),
        _ => return Err("an unknown escape"),
    };
    bytes.push(byte);
    Ok(())
}

fn push_char(code: u32, bytes: &mut Vec<u8>) -> Result<(), &'static str> {
    let c = char::from_u32(code).ok_or("an escape names no character")?;
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

fn hex(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<u32, &'static str> {
    let mut code: u32 = 0;
    for _ in 0..digits {
        let digit = chars.next().and_then(|c| c.to_digit(16)).ok_or("an escape has too few hex digits")?;
        // Eight digits fit exactly.
        code = code << 4 | digit;
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "velero.io/snapshot-group";

    fn value(text: &str) -> Result<Option<String>, LabelsFileError> {
        value_of(text, KEY)
    }

    #[test]
    fn reads_what_the_kubelet_writes() {
        let text = "app=\"db\"\nvelero.io/snapshot-group=\"group-faef0436\"\nx/velero.io/snapshot-group=\"no\"\n";
        assert_eq!(value(text), Ok(Some("group-faef0436".to_owned())));
        assert_eq!(value("app=\"db\"\n"), Ok(None));
        assert_eq!(value(""), Ok(None));
        assert_eq!(value("velero.io/snapshot-group=\"\""), Ok(Some(String::new())));
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(value("velero.io/snapshot-group = db \r\n"), Ok(Some("db".to_owned())));
        assert_eq!(value("garbage\n=\n\"\nvelero.io/snapshot-group=db"), Ok(Some("db".to_owned())));
        assert_eq!(value(&format!("{KEY}=\"a\"\n{KEY}=a")), Ok(Some("a".to_owned())));
        assert_eq!(value(&format!("{KEY}=\"a\"\n{KEY}=b")), Err(LabelsFileError::Twice { line: 2 }));
    }

    #[test]
    fn undoes_every_escape_of_go() {
        let text = format!(r#"{KEY}="\a\b\f\n\r\t\v\\\"\x41\u00e4\U0001F600\xc3\xa4""#);
        assert_eq!(value(&text), Ok(Some("\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"Aä😀ä".to_owned())));
        for bad in [r#""a"#, r#""\q""#, r#""\x4""#, r#""\ud800""#, r#""\xff""#, r#""a"b""#, r#"""#, r#""\""#] {
            assert!(value(&format!("{KEY}={bad}")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_errs(text in ".{0,200}", tail in "\"?.{0,40}") {
            let _ = value(&text);
            let _ = value(&format!("{KEY}={tail}"));
        }

        #[test]
        fn any_label_survives_quoting(label in "[A-Za-z0-9][A-Za-z0-9._-]{0,61}") {
            prop_assert_eq!(value(&format!("a=\"1\"\n{KEY}=\"{label}\"\n")), Ok(Some(label)));
        }
    }
}
