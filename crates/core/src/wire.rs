//! Records (config, sessions, manifests) to bytes and back: a version byte, then serde through bincode.
//!
//! The only module that knows bincode (unmaintained, RUSTSEC-2025-0141), so that it can be exchanged
//! without touching a stored byte: `docs/format.md` specifies the encoding as lbak's own. Fixed little-endian
//! integers, `u64` lengths, `u32` enum numbers, one byte for `bool` and `Option`.
//!
//! A record never grows: a new field is a new version with a type of its own.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Most bytes of one record, checked when writing too: what was written can be read.
pub const LIMIT: usize = 64 << 20;

const SMALL: usize = 64 << 10;
const MEDIUM: usize = 1 << 20;

fn configuration<const BYTES: usize>() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<BYTES>()
}

/// Encodes a record behind its version byte.
///
/// # Errors
/// When it is larger than [`LIMIT`].
pub fn encode<T: Serialize>(what: &str, version: u8, record: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![version];
    bincode::serde::encode_into_std_write(record, &mut bytes, configuration::<LIMIT>())
        .map_err(|error| Error::Invalid { what: format!("cannot encode {what}: {error}") })?;
    if bytes.len() > LIMIT {
        return Err(Error::TooLarge { what: what.to_owned(), limit: format!("{LIMIT} bytes") });
    }
    Ok(bytes)
}

/// Decodes a record of one version. `object` names where the bytes came from.
///
/// # Errors
/// [`Error::Newer`] for a later version, [`Error::Damaged`] for anything that does not decode to its last byte.
pub fn decode<T: DeserializeOwned>(object: &str, version: u8, bytes: &[u8]) -> Result<T> {
    let Some((&found, rest)) = bytes.split_first() else {
        return Err(Error::damaged(object, "the record is empty"));
    };
    if found > version {
        return Err(Error::Newer { object: object.to_owned(), needs: format!("record version {found}") });
    }
    if found != version {
        return Err(Error::damaged(object, format!("record version {found} never existed")));
    }
    // bincode sets a string aside on the word of its length, up to the limit: the limit is near what is there (rule I7).
    let decoded = if rest.len() <= SMALL {
        bincode::serde::decode_from_slice(rest, configuration::<SMALL>())
    } else if rest.len() <= MEDIUM {
        bincode::serde::decode_from_slice(rest, configuration::<MEDIUM>())
    } else {
        bincode::serde::decode_from_slice(rest, configuration::<LIMIT>())
    };
    let (record, used) =
        decoded.map_err(|error| Error::damaged(object, format!("the record does not decode: {error}")))?;
    if used != rest.len() {
        return Err(Error::damaged(object, format!("{} bytes follow the record", rest.len() - used)));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    enum Choice {
        No,
        Yes { why: String, count: u32 },
    }

    type Record = (u16, Option<u64>, Vec<Choice>, [u8; 2], bool);

    fn sample() -> Record {
        (7, Some(9), vec![Choice::No, Choice::Yes { why: "so".into(), count: 3 }], [1, 2], true)
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let golden = [
            1, // version
            7, 0, // u16
            1, 9, 0, 0, 0, 0, 0, 0, 0, // Some(u64)
            2, 0, 0, 0, 0, 0, 0, 0, // length of the list
            0, 0, 0, 0, // No
            1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b's', b'o', 3, 0, 0, 0, // Yes
            1, 2, // array: no length
            1, // bool
        ];
        assert_eq!(encode("test", 1, &sample()).expect("encode"), golden);
        assert_eq!(decode::<Record>("test", 1, &golden).expect("decode"), sample());
    }

    #[test]
    fn cut_longer_newer_and_lying_records_are_refused() {
        let bytes = encode("test", 1, &sample()).expect("encode");
        for length in 0..bytes.len() {
            assert!(decode::<Record>("test", 1, &bytes[..length]).is_err());
        }
        assert!(decode::<Record>("test", 1, &[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(matches!(decode::<Record>("test", 0, &bytes), Err(Error::Newer { .. })));
        let mut lying = bytes;
        lying[12..20].fill(0xff); // a list of 2^64 - 1 elements
        assert!(decode::<Record>("test", 1, &lying).is_err());
    }

    /// Found by fuzzing: 180 bytes that claimed a string of 32 MiB had that much set aside before they were refused.
    #[test]
    fn a_string_is_not_set_aside_on_the_word_of_its_length() {
        let lying = [&[1], &(32_u64 << 20).to_le_bytes()[..], b"short"].concat();
        let error = decode::<String>("test", 1, &lying).expect_err("most of it is missing").to_string();
        assert!(error.contains("LimitExceeded"), "refused before anything is set aside: {error}");
        for length in [(64 << 10) - 8, (64 << 10) - 7, (1 << 20) - 8, (1 << 20) - 7] {
            let text = "x".repeat(length);
            let bytes = encode("test", 1, &text).expect("encode");
            assert_eq!(decode::<String>("test", 1, &bytes).expect("decode"), text, "{length} bytes");
        }
    }
}
