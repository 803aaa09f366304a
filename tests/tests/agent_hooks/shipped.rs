//! The shipped hook-agent: needs no loader, is small on disk and in memory. `make agent` builds it.

use std::path::PathBuf;
use std::process::Command;

use testbed::binaries::shipped_hook_agent;

use crate::bed::Bed;
use crate::hook::Hook;

/// The file is mounted into every workload pod, bytes. With musl it has 4.3 MB; a static glibc adds some 0.9.
const SIZE_BYTES_MAX: u64 = 5_400_000;

/// What the hook may take of the workload container's memory limit, KiB: it counts against that container.
pub const PEAK_RSS_KIB_MAX: u64 = 8 * 1024;

/// ELF: `e_phoff`, `e_phentsize` and `e_phnum` of a 64-bit little-endian file, and the type of the header that asks for a loader.
const PROGRAM_HEADERS_AT: usize = 0x20;
const PROGRAM_HEADER_BYTES_AT: usize = 0x36;
const PROGRAM_HEADER_COUNT_AT: usize = 0x38;
const PT_INTERP: u32 = 3;
const PT_DYNAMIC: u32 = 2;
/// A dynamic section's entry that names a library, and its end.
const DT_NEEDED: u64 = 1;
const DT_NULL: u64 = 0;

#[track_caller]
fn shipped() -> PathBuf {
    shipped_hook_agent().unwrap_or_else(|e| panic!("{e}"))
}

fn number(file: &[u8], at: usize, bytes: usize) -> u64 {
    let bytes = file.get(at..at + bytes).expect("the file is as long as its headers say");
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn place(file: &[u8], at: usize, bytes: usize) -> usize {
    usize::try_from(number(file, at, bytes)).expect("offsets fit this machine")
}

#[test]
fn it_needs_no_loader_and_no_library() {
    let path = shipped();
    let file = std::fs::read(&path).expect("it can be read");
    assert_eq!(&file[..6], b"\x7fELF\x02\x01", "{} is no 64-bit little-endian ELF file", path.display());
    let (start, size) = (place(&file, PROGRAM_HEADERS_AT, 8), place(&file, PROGRAM_HEADER_BYTES_AT, 2));
    let count = place(&file, PROGRAM_HEADER_COUNT_AT, 2);
    assert!(count > 0, "no program headers: nothing was looked at");
    for header in (0..count).map(|i| start + i * size) {
        let kind = u32::try_from(number(&file, header, 4)).expect("four bytes");
        assert_ne!(kind, PT_INTERP, "{} asks for a loader", path.display());
        if kind == PT_DYNAMIC {
            let (offset, length) = (place(&file, header + 8, 8), place(&file, header + 32, 8));
            for entry in (offset..offset + length).step_by(16) {
                match number(&file, entry, 8) {
                    DT_NULL => break,
                    tag => assert_ne!(tag, DT_NEEDED, "{} asks for a library", path.display()),
                }
            }
        }
    }
}

#[test]
fn it_is_small_and_of_this_version() {
    let path = shipped();
    let size = std::fs::metadata(&path).expect("it is there").len();
    println!("{}: {size} bytes", path.display());
    assert!(size <= SIZE_BYTES_MAX, "{size} bytes are more than {SIZE_BYTES_MAX}");
    let said = Command::new(&path).arg("--version").env_clear().current_dir("/").output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&said.stdout), concat!("hook-agent ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn it_does_its_work_in_little_memory() {
    let bed = Bed::start().await;
    let of = |command: &str| bed.equip(Hook::of(&shipped()), command);
    let pre = of("pre").start();
    let attempt = bed.waiting().await;
    bed.say_waits(&attempt, None);
    pre.says("has not released it yet").await;
    let peak_kib = pre.peak_rss_kib();
    println!("peak resident set while waiting: {peak_kib} KiB");
    assert!(peak_kib <= PEAK_RSS_KIB_MAX, "{peak_kib} KiB are more than {PEAK_RSS_KIB_MAX}");
    bed.release(7, &[&attempt]);
    pre.ended().await.check(0, &["released in round 7"]);
    of("post").run().await.check(0, &["let go"]);
    assert_eq!(bed.asked(), ["patch leases", "watch leases", "patch leases", "patch leases"]);
}
