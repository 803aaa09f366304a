//! What does the server itself write into a new object? Time, uid, generated names.

use std::hash::{BuildHasher, RandomState};

/// Now, in whole seconds, as `creationTimestamp` is written.
pub fn now_s() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// 64 random bits: each `RandomState` hashes with fresh keys of the operating system's randomness.
fn random_bits() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A random uid in the form of a version 4 UUID.
pub fn random_uid() -> String {
    let (a, b) = (random_bits(), random_bits());
    let version = 0x4000 | (a & 0x0fff);
    let variant = 0x8000 | (b >> 48 & 0x3fff);
    format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, b & 0xffff_ffff_ffff)
}

/// Letters of generated names: no vowels and nothing that looks like another (apimachinery `rand.SafeEncodeString`).
const SAFE_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LETTERS: usize = 5;
/// The prefix is cut so that the name stays within a DNS label (`maxGeneratedNameLength`).
const PREFIX_BYTES_MAX: usize = 63 - SUFFIX_LETTERS;

/// A name from a `generateName` prefix.
pub fn generated_name(prefix: &str) -> String {
    let cut = prefix.get(..PREFIX_BYTES_MAX).unwrap_or(prefix);
    let mut bits = random_bits();
    let mut name = cut.to_owned();
    for _ in 0..SUFFIX_LETTERS {
        let letters = SAFE_LETTERS.len() as u64;
        let letter = usize::try_from(bits % letters).unwrap_or_default();
        name.push(char::from(SAFE_LETTERS[letter]));
        bits /= letters;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_look_as_they_should() {
        let uid = random_uid();
        assert_eq!(uid.len(), 36, "{uid}");
        assert_eq!(&uid[14..15], "4", "{uid}");
        assert_ne!(uid, random_uid());
        assert_eq!(now_s().len(), "2026-01-01T00:00:00Z".len());
        let name = generated_name(&"a".repeat(80));
        assert_eq!(name.len(), 63);
        assert_ne!(generated_name("g-"), generated_name("g-"));
    }
}
