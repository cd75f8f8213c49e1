//! Records: what decodes encodes to the same bytes, so that none has two forms.
//!
//! Input: which record u8 · its bytes.

use crate::memory;
use lbak_core::{
    observe::Finding,
    repository::Config,
    snapshot::{
        AsideRecord, ClosedRecord, DamagedRecord, FinRecord, ForgottenRecord, Manifest, MarkRecord, ReadingRecord,
        RemovalsRecord, SessionRecord,
    },
    wire,
};

/// Runs the target.
pub fn manifest(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else { return };
    macro_rules! record {
        ($name:ident) => {{
            let decoded = memory::within(limit(bytes), || $name::decode("fuzz", bytes));
            decoded.ok().map(|record| record.encode())
        }};
    }
    let encoded = match which {
        0 => record!(Manifest),
        1 => record!(SessionRecord),
        2 => record!(ClosedRecord),
        3 => record!(ForgottenRecord),
        4 => record!(DamagedRecord),
        5 => record!(MarkRecord),
        6 => record!(RemovalsRecord),
        7 => record!(FinRecord),
        // Records that have no door of their own go through `wire` as their users send them.
        8 => {
            let decoded = memory::within(limit(bytes), || wire::decode::<Config>("fuzz", 1, bytes));
            decoded.ok().map(|config| wire::encode("a config", 1, &config))
        }
        9 => {
            let decoded = memory::within(limit(bytes), || wire::decode::<Vec<Finding>>("fuzz", 1, bytes));
            decoded.ok().map(|findings| wire::encode("findings", 1, &findings))
        }
        10 => record!(ReadingRecord),
        11 => record!(AsideRecord),
        _ => None,
    };
    if let Some(encoded) = encoded {
        assert_eq!(encoded.expect("what was read can be written"), bytes, "a record is written back as it was read");
    }
}

/// A list is begun with room for at most 1 MiB, whatever count it claims (serde's own caution), and lists in lists do so on each level.
fn limit(bytes: &[u8]) -> usize {
    (4 << 20) + memory::in_proportion_to(bytes)
}
