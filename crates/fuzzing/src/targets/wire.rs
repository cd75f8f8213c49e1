//! The encoding below all records: strings, lists, choices and numbers of any nesting. What decodes encodes to the same bytes, no length
//! is believed before it was compared with what is there, and a later version is told as one.
//!
//! Input: which type u8 · version u8 · the record.

use crate::{memory, take};
use lbak_core::{error::Error, wire};

type Mixed = (u16, Option<i64>, Vec<Result<String, [u8; 3]>>, bool, char);

/// Runs the target.
pub fn wire(input: &[u8]) {
    let Some(([which, version], bytes)) = take::<2>(input) else { return };
    // A list is begun with room for at most 1 MiB, whatever count it claims, and lists in lists do so on each level.
    let limit = (4 << 20) + memory::in_proportion_to(bytes);
    macro_rules! same {
        ($record:ty) => {
            match memory::within(limit, || wire::decode::<$record>("fuzz", version, bytes)) {
                Ok(record) => {
                    assert_eq!(bytes.first(), Some(&version), "a record of another version was read");
                    let encoded = wire::encode("fuzz", version, &record).expect("what was read can be written");
                    assert_eq!(encoded, bytes, "a record is written back as it was read");
                }
                Err(Error::Newer { .. }) => assert!(bytes.first() > Some(&version), "only a later version is newer"),
                Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
            }
        };
    }
    match which {
        0 => same!(String),
        1 => same!(Vec<String>),
        2 => same!(Vec<Vec<Vec<u8>>>),
        3 => same!(Mixed),
        4 => same!(Option<Box<Option<String>>>),
        5 => same!((u8, u16, u32, u64, i8, i16, i32, i64)),
        6 => same!(Vec<(String, Option<[u8; 32]>)>),
        _ => {}
    }
}
