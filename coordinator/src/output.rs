//! What the one-shot commands print on standard output.

use std::io::{self, Write as _};

use serde::Serialize;

/// Prints it. A reader that closed our output (`| head`) has seen enough.
pub fn print(text: &str) {
    let _unread = io::stdout().lock().write_all(text.as_bytes()).is_err();
}

/// A document for programs, with a line end.
///
/// # Panics
/// When it has no JSON form, as maps have whose keys are no texts: a defect.
pub fn json(document: &impl Serialize) -> String {
    let json =
        serde_json::to_string_pretty(document).unwrap_or_else(|e| unreachable!("plain data has a JSON form: {e}"));
    json + "\n"
}
