//! What colours and lines mean.

use super::canvas::Canvas;

/// Class, words, and the width that they take, px.
const KEYS: [(&str, &str, f64); 6] = [
    ("kept", "stays", 75.0),
    ("new", "new", 65.0),
    ("moved", "moved", 80.0),
    ("fixed", "fixed by its owner", 145.0),
    ("queued", "waits in Velero's queue", 180.0),
    ("closed", "excluded or outside the window", 225.0),
];

/// Draws it in one line.
pub fn draw(canvas: &mut Canvas, y: f64, left: f64) {
    let mut x = left;
    for (class, words, width) in KEYS {
        canvas.rectangle((x, y - 10.0, 14.0, 12.0), class, "");
        canvas.text(x + 20.0, y, "key", words);
        x += width;
    }
    canvas.line((x, y - 4.0, x + 24.0, y - 4.0), "budget");
    canvas.text(x + 30.0, y, "key", "budget");
    canvas.text(left, y + 18.0, "note", "A bar is as wide as its backup is expected to take; point at it for details.");
}
