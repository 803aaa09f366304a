//! How does an outside client ask? Plain HTTP/1.1 over a socket, a connection a request.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an answer: a stand-in answers at once unless it was told to be late.
const ANSWER_S_MAX: u64 = 60;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; 0 when the connection ended without an answer.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all elements of this name; an element that has attributes is not found.
    pub fn elements(&self, name: &str) -> Vec<String> {
        let (text, open, close) = (self.text(), format!("<{name}>"), format!("</{name}>"));
        let inside = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        inside.map(ToOwned::to_owned).collect()
    }
}

/// Sends a request and reads its answer.
pub fn send(base: &str, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let address = base.strip_prefix("http://").expect("a plain URL");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(ANSWER_S_MAX))).unwrap();
    let own =
        [("host", address.to_owned()), ("connection", "close".to_owned()), ("content-length", body.len().to_string())];
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let lines = own.chain(headers.iter().copied()).map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!("{method} {target} HTTP/1.1\r\n{}", lines.collect::<String>());
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut raw = Vec::new();
    // A connection that ends early has said what it had to say.
    let _ = stream.read_to_end(&mut raw);
    read(&raw)
}

fn read(raw: &[u8]) -> Answer {
    let Some(end) = raw.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Answer { status: 0, headers: Vec::new(), body: Vec::new() };
    };
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    Answer {
        status: status.expect("a status line"),
        headers: headers.map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect(),
        body: raw[end + 4..].to_vec(),
    }
}
