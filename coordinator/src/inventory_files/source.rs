//! Opening files and standard input, telling JSON from YAML, and what is said of files that are neither.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use coordinator_core::inventory::facts::Facts;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{Document, NO_OBJECT, NoEnd};
use super::limited::{FILE_BYTES_MAX, Limited, Seen};
use super::objects::Objects;

/// Standard input's name.
const STDIN: &str = "-";

/// Bytes that are read at a time: a syscall each 256 KiB is none to speak of.
const BUFFER_BYTES: usize = 256 << 10;

/// Nodes, events and bytes of one YAML stream are bounded by [`FILE_BYTES_MAX`] alone; what stays bounded is what lets a small file
/// grow: aliases and depth.
const YAML_UNBOUNDED: usize = usize::MAX;

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened or read.
    #[error("cannot read {file}")]
    Io {
        /// Its name as given.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is larger than what is read.
    #[error("{file} is larger than {} MiB; split it (`kubectl get` by kind or namespace, several -f)", FILE_BYTES_MAX >> 20)]
    TooLarge {
        /// Its name as given.
        file: String,
    },
    /// There is nothing in it.
    #[error("{file} is empty; write it with `kubectl get pv,pvc,sts,pods -A -o json`")]
    Empty {
        /// Its name as given.
        file: String,
    },
    /// It ends in the middle of an object.
    #[error("{file} ends too early: it was cut off while it was written or copied; write it again")]
    Truncated {
        /// Its name as given.
        file: String,
        /// Where.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is no JSON or YAML, or none that Kubernetes writes.
    #[error("{file} is not what `kubectl get -o json` or `-o yaml` prints")]
    Content {
        /// Its name as given.
        file: String,
        /// Where, and what is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads every file; `-` is standard input.
///
/// # Errors
/// With the first file that cannot be used.
pub fn read(files: &[String]) -> Result<Facts, ReadError> {
    let mut facts = Facts::default();
    for file in files {
        read_one::<Document>(file, &mut facts)?;
    }
    Ok(facts)
}

/// Reads every file's objects whole, one document of a file after the other.
///
/// # Errors
/// With the first file that cannot be used.
pub fn read_objects(files: &[String], each: &mut dyn FnMut(Value)) -> Result<(), ReadError> {
    for file in files {
        let mut objects = Vec::new();
        read_one::<Objects>(file, &mut objects)?;
        objects.into_iter().for_each(&mut *each);
    }
    Ok(())
}

/// One document of a file, and where its content goes.
pub trait Content: DeserializeOwned {
    /// What is filled.
    type To;

    /// Whether all of it is there.
    ///
    /// # Errors
    /// When its end is missing.
    fn check(&self) -> Result<(), NoEnd>;

    /// Hands the content over.
    fn give(self, to: &mut Self::To);
}

fn read_one<D: Content>(file: &str, facts: &mut D::To) -> Result<(), ReadError> {
    if file == STDIN {
        return read_from::<D>(io::stdin().lock(), "standard input", FILE_BYTES_MAX, facts);
    }
    let failed = |source| ReadError::Io { file: file.to_owned(), source };
    let opened = File::open(Path::new(file)).map_err(failed)?;
    if opened.metadata().map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(ReadError::TooLarge { file: file.to_owned() });
    }
    read_from::<D>(opened, file, FILE_BYTES_MAX, facts)
}

fn read_from<D: Content>(reader: impl Read, file: &str, limit: u64, facts: &mut D::To) -> Result<(), ReadError> {
    let limited = Limited::new(reader, file, limit);
    let seen = limited.seen();
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, limited);
    let whole = Whole { file, seen };
    match first_byte(&mut reader).map_err(|source| whole.io(source))? {
        None => Err(ReadError::Empty { file: file.to_owned() }),
        Some(b'{') => json::<D>(reader, &whole, facts),
        Some(_) => yaml::<D>(reader, &whole, facts),
    }
}

/// The first byte that is no white space, left in the reader; a byte order mark is dropped.
fn first_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        if buffer.starts_with(b"\xef\xbb\xbf") {
            reader.consume(3);
            continue;
        }
        let Some(at) = buffer.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t')) else {
            let length = buffer.len();
            reader.consume(length);
            continue;
        };
        let byte = buffer.get(at).copied();
        // Lines before the first object count nothing in JSON; in YAML only spaces could matter, and those are at the start
        // of a line that has text.
        let line_start = buffer[..at].iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        reader.consume(line_start);
        return Ok(byte);
    }
}

fn json<D: Content>(reader: impl Read, whole: &Whole<'_>, facts: &mut D::To) -> Result<(), ReadError> {
    let documents = serde_json::Deserializer::from_reader(reader).into_iter::<D>();
    for document in documents {
        let document = document.map_err(|error| whole.error(error.is_eof(), error))?;
        document.check().map_err(|error| whole.error(true, error))?;
        document.give(facts);
    }
    Ok(())
}

fn yaml<D: Content>(mut reader: impl Read, whole: &Whole<'_>, facts: &mut D::To) -> Result<(), ReadError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: None,
            max_events: YAML_UNBOUNDED,
            max_nodes: YAML_UNBOUNDED,
            max_documents: YAML_UNBOUNDED,
            max_total_scalar_bytes: YAML_UNBOUNDED,
        },
        with_snippet: false,
    };
    let mut documents = 0_usize;
    for document in serde_saphyr::read_with_options::<_, D>(&mut reader, options) {
        let document = document.map_err(|error| whole.error(false, error))?;
        document.check().map_err(|error| whole.error(true, error))?;
        document.give(facts);
        documents += 1;
    }
    if documents == 0 { Err(ReadError::Empty { file: whole.file.to_owned() }) } else { Ok(()) }
}

/// A file as a whole, for what is said about it.
struct Whole<'a> {
    file: &'a str,
    seen: Seen,
}

impl Whole<'_> {
    fn io(&self, source: io::Error) -> ReadError {
        let file = self.file.to_owned();
        if self.seen.too_large() { ReadError::TooLarge { file } } else { ReadError::Io { file, source } }
    }

    fn error(&self, cut_off: bool, error: impl std::error::Error + Send + Sync + 'static) -> ReadError {
        let file = self.file.to_owned();
        if self.seen.too_large() {
            return ReadError::TooLarge { file };
        }
        let nothing_of_kubernetes = error.to_string().contains(NO_OBJECT);
        let source = Box::new(error);
        if cut_off && !nothing_of_kubernetes {
            ReadError::Truncated { file, source }
        } else {
            ReadError::Content { file, source }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_chain::chain;
    use coordinator_core::inventory::facts::FactKind;

    fn read_text(text: &str) -> Result<Facts, ReadError> {
        let mut facts = Facts::default();
        read_from::<Document>(text.as_bytes(), "dump", 1 << 20, &mut facts).map(|()| facts)
    }

    const PV: &str = r#"{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"NAME"},"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-1"}}}"#;

    fn pv(name: &str) -> String {
        PV.replace("NAME", name)
    }

    #[test]
    fn a_list_single_objects_and_documents_in_json_and_yaml() {
        let list = format!(r#"{{"apiVersion":"v1","items":[{},{}],"kind":"List"}}"#, pv("a"), pv("b"));
        let raw = format!(r#"{{"kind":"PersistentVolumeList","apiVersion":"v1","items":[{},{}]}}"#, pv("a"), pv("b"));
        let without = |text: &str| text.replace(r#""apiVersion":"v1","kind":"PersistentVolume","#, "");
        let yaml = "\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: a}\nspec: {csi: {driver: ebs.csi.aws.com}}\n\
                    ---\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: PersistentVolume\n  metadata:\n    name: b\n  spec: {}\nkind: List\n---\n";
        for text in [list, without(&raw), format!("\u{feff}{}\n{}", pv("a"), pv("b")), yaml.to_owned()] {
            let facts = read_text(&text).unwrap_or_else(|e| panic!("{text}: {}", chain(&e)));
            assert_eq!(facts.volumes.keys().collect::<Vec<_>>(), ["a", "b"], "{text}");
            assert!(facts.volumes.get("a").unwrap().ebs && facts.findings.is_empty(), "{text}");
        }
    }

    #[test]
    fn other_kinds_and_other_groups_are_passed_over() {
        let text = r#"{"apiVersion":"v1","items":[
            {"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"b"},"data":{"x":"eA=="}},
            {"apiVersion":"postgresql.cnpg.io/v1","kind":"Backup","metadata":{"name":"a","namespace":"b"}},
            {"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"a","namespace":"velero"}}
        ],"kind":"List"}"#;
        let facts = read_text(text).unwrap();
        assert_eq!((facts.len(), facts.count(FactKind::Backup)), (1, 1));
    }

    #[test]
    fn what_is_no_dump_is_told_apart() {
        let list = format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List"}}"#, pv("a"));
        let yaml =
            "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: PersistentVolume\n  metadata: {name: a}\n  spec: {}\n";
        for (text, part) in [
            ("", "is empty"),
            (" \n\t\n", "is empty"),
            ("---\n---\n", "is empty"),
            (&list[..list.len() - 30], "ends too early"),
            (&list[..list.len() - 1], "ends too early"),
            (yaml, "ends too early"),
            ("{}", "is not what"),
            ("[1,2]", "is not what"),
            ("hello", "is not what"),
            ("{\"a\": nope}", "is not what"),
            ("a: b: c", "is not what"),
            ("<html></html>", "is not what"),
        ] {
            let said = chain(&read_text(text).expect_err(text));
            assert!(said.starts_with("dump ") && said.contains(part), "{text}: {said}");
            assert!(said.len() < 600, "{text}: {said}");
        }
    }

    #[test]
    fn a_file_over_the_limit_is_not_read_to_its_end() {
        for text in [format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20)), format!("a: {}", "x".repeat(2 << 20))] {
            let said = chain(&read_text(&text).unwrap_err());
            assert!(said.contains("is larger than") && said.contains("several -f"), "{said}");
        }
        assert!(
            chain(&read(&["/nonexistent/x.json".to_owned()]).unwrap_err()).contains("cannot read /nonexistent/x.json")
        );
    }

    #[test]
    fn an_object_that_is_wrong_in_itself_is_a_finding() {
        let long = "n".repeat(300);
        let text = format!(
            r#"{{"apiVersion":"v1","items":[{},{},
            {{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","namespace":"N!"}}}},
            {{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{{"name":"c","namespace":"n","labels":["x"]}}}},
            {{"apiVersion":"v1","kind":"PersistentVolumeClaim"}}, 7, "x"
            ],"kind":"List"}}"#,
            pv("a"),
            pv(&long)
        );
        let facts = read_text(&text).unwrap();
        let codes: Vec<&str> = facts.findings.iter().map(coordinator_core::inventory::finding::Finding::code).collect();
        assert_eq!((facts.len(), codes), (1, vec!["unreadable"; 4]), "{:?}", facts.findings);
    }
}
