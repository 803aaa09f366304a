//! An SVG document that is written shape by shape; every text that goes in is escaped.

use std::fmt::Write as _;

/// Looks of everything. Colours keep apart for the colour-blind (Okabe and Ito), and the document needs no font of its own.
const STYLE: &str = "\
text{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#222}\
.title{font-size:18px;font-weight:bold}.note{font-size:13px;fill:#444}\
.hour{font-size:11px;fill:#555;text-anchor:middle}.lane{font-size:11px;text-anchor:end}\
.tick{font-size:11px;fill:#555;text-anchor:end}.key{font-size:12px}.name{font-size:10px;fill:#fff}.beside{font-size:10px;fill:#333}\
.grid{stroke:#ddd;stroke-width:1}.axis{stroke:#888;stroke-width:1}.band{fill:#f6f7f9}.closed{fill:#c9ccd1;fill-opacity:.55}\
.kept{fill:#0072b2}.new{fill:#009e73}.moved{fill:#d55e00}.fixed{fill:#8a4f9e}.queued{fill:#999;fill-opacity:.6}\
.load{fill:#56b4e9;fill-opacity:.75;stroke:#0072b2;stroke-width:1}.budget{stroke:#c00;stroke-width:1.5;stroke-dasharray:6 4}\
.limit{stroke:#c00;stroke-width:1.5}.refused{fill:#d55e00}.budget-text{font-size:11px;fill:#c00;text-anchor:end}";

/// The document so far.
pub struct Canvas {
    text: String,
}

impl Canvas {
    /// An empty one for a plan, px.
    pub fn new(width: f64, height: f64) -> Self {
        Self::titled(width, height, "When each snapshot group is backed up")
    }

    /// An empty one, px.
    pub fn titled(width: f64, height: f64, title: &str) -> Self {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
        );
        Self { text }
    }

    /// One for a page that has its own style: it says what it is to those who cannot see it, and brings no colours. px.
    pub fn inline(width: f64, height: f64, id: &str, title: &str, description: &str) -> Self {
        let mut text = String::new();
        let (id, title, description) = (escape(id), escape(title), escape(description));
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-description\">{description}</desc>"
        );
        Self { text }
    }

    /// A pattern of slanted lines, to be filled with by its id.
    pub fn hatch(&mut self, id: &str) {
        let _ = writeln!(
            self.text,
            "<defs><pattern id=\"{id}\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
             <rect class=\"{id}-ground\" width=\"5\" height=\"5\"/><rect class=\"{id}-line\" width=\"2\" height=\"5\"/></pattern></defs>",
            id = escape(id)
        );
    }

    /// A text that begins, centres or ends at `x`, as its class says.
    pub fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let _ = writeln!(self.text, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escape(text));
    }

    /// A rectangle (left, top, width, height) that says `hint` when it is pointed at.
    pub fn rectangle(&mut self, (x, y, width, height): (f64, f64, f64, f64), class: &str, hint: &str) {
        let shape = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\"");
        let _ = if hint.is_empty() {
            writeln!(self.text, "<rect {shape}/>")
        } else {
            writeln!(self.text, "<rect {shape}><title>{}</title></rect>", escape(hint))
        };
    }

    /// A line (from x, y to x, y).
    pub fn line(&mut self, (x1, y1, x2, y2): (f64, f64, f64, f64), class: &str) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        );
    }

    /// An outline through points, closed.
    pub fn area(&mut self, points: &[(f64, f64)], class: &str) {
        let mut path = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if n == 0 { "M" } else { "L" });
        }
        let _ = writeln!(self.text, "<path d=\"{path}Z\" class=\"{class}\"/>");
    }

    /// The document.
    pub fn finish(self) -> String {
        self.text + "</svg>\n"
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no form for other control characters.
            c if c.is_control() && c != '\n' => {}
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text(1.0, 2.0, "note", "<script>&\"\u{1}x</script>");
        let document = canvas.finish();
        assert!(document.contains("&lt;script&gt;&amp;&quot;x&lt;/script&gt;"), "{document}");
        assert!(document.ends_with("</svg>\n") && !document.contains("<script"));
    }
}
