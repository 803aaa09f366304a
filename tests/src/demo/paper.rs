//! How do lines get to the terminal: with the time in front, coloured only where somebody looks?

use std::io::{IsTerminal as _, Write};
use std::time::{Duration, Instant};

/// No line is longer, characters.
pub const WIDTH_MAX: usize = 100;

/// What a piece of text means; colours follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    Plain,
    /// A heading.
    Bold,
    /// Less important.
    Dim,
    /// As it should be.
    Good,
    /// Worth a thought.
    Fair,
    /// As it should not be.
    Bad,
}

impl Ink {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Fair => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// Where the demo writes.
pub struct Paper<W> {
    out: W,
    begin: Instant,
    has_colours: bool,
}

impl Paper<std::io::Stdout> {
    /// Standard output: with colours on a terminal, unless `NO_COLOR` is set.
    pub fn stdout() -> Self {
        let out = std::io::stdout();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let has_colours = out.is_terminal() && !refused;
        Self::new(out, has_colours)
    }
}

impl<W: Write> Paper<W> {
    /// Any writer.
    pub fn new(out: W, has_colours: bool) -> Self {
        Self { out, begin: Instant::now(), has_colours }
    }

    /// How long the demo has been running.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// A piece of text in its colour.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        match ink.code().filter(|_| self.has_colours) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }

    /// One line. Nobody may be reading any more (`| head`): then it goes nowhere.
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }

    /// One line of one colour.
    pub fn coloured(&mut self, ink: Ink, text: &str) {
        let painted = self.paint(ink, text);
        self.line(&painted);
    }

    /// Something that happens now: `  12.3s  shop/db      text`.
    pub fn event(&mut self, subject: &str, ink: Ink, text: &str) {
        let at = format!("{:6.1}s", self.elapsed().as_secs_f64());
        let at = self.paint(Ink::Dim, &at);
        let text = self.paint(ink, &fitted(text, WIDTH_MAX - EVENT_MARGIN));
        self.line(&format!("{at}  {subject:<13} {text}"));
    }
}

/// What stands before the text of an event: time, two spaces, subject, one space.
const EVENT_MARGIN: usize = 7 + 2 + 13 + 1;

/// A line that is not longer than any may be.
pub fn clipped(line: &str) -> String {
    fitted(line, WIDTH_MAX)
}

fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

/// A length of time for people: `0.12s`, `12.3s`, `10 min`, `3 h 21 min`.
pub fn length(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let minutes = (seconds / 60.0).round();
    if seconds < 10.0 {
        format!("{seconds:.2}s")
    } else if seconds < 90.0 {
        format!("{seconds:.0}s")
    } else if minutes < 100.0 {
        format!("{minutes:.0} min")
    } else {
        format!("{:.1} h", seconds / 3_600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(has_colours: bool) -> String {
        let mut out = Vec::new();
        let mut paper = Paper::new(&mut out, has_colours);
        paper.event("shop/db", Ink::Good, &"long ".repeat(40));
        paper.coloured(Ink::Bold, "Heading");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pipe_gets_plain_lines_of_limited_length() {
        let text = written(false);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{text}");
    }

    #[test]
    fn a_terminal_gets_colours() {
        let text = written(true);
        assert!(text.contains("\u{1b}[32mlong") && text.contains("\u{1b}[1mHeading\u{1b}[0m"), "{text}");
    }

    #[test]
    fn lengths_are_short() {
        for (seconds, text) in
            [(0.1234, "0.12s"), (12.34, "12s"), (600.0, "10 min"), (5_700.0, "95 min"), (12_060.0, "3.4 h")]
        {
            assert_eq!(length(Duration::from_secs_f64(seconds)), text, "{seconds}");
        }
    }
}
