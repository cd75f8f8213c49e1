//! The 80 bytes at the front of every object: what parses is written back unchanged, and nothing opens without a key.
//!
//! Input: header · anything.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{memory, with_fitting_checksum};
use lbak_core::{
    backend::ObjectName,
    codec::{Codec, HEADER, Header, Kind},
    error::Error,
    id::RepositoryId,
    keys::{Keys, Secret},
};

/// No seed was sealed with these keys.
static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([0x5a; 32]))])).expect("one master");
    Codec::new(keys, RepositoryId([2; 16]))
});

/// Runs the target.
pub fn header(input: &[u8]) {
    let parsed = memory::within(memory::in_proportion_to(input), || Header::parse("fuzz", input));
    match &parsed {
        Ok(header) => {
            assert_eq!(header.encode()[..], input[..HEADER], "a header is written back as it was read");
            assert_eq!(header.read_features, 0, "what a reader must know is never passed over");
        }
        Err(error) => assert!(matches!(error, Error::Damaged { .. } | Error::Newer { .. }), "{error}"),
    }

    let stored = with_fitting_checksum(input);
    let kinds = [Kind::Config, Kind::Slot];
    let opened = memory::within(memory::in_proportion_to(&stored), || {
        CODEC.open_object(&ObjectName::Config, &kinds, None, &stored)
    });
    match (parsed, opened) {
        (_, Ok(_)) => panic!("an object opened that nobody sealed"),
        (_, Err(Error::Damaged { .. })) | (Err(Error::Newer { .. }), Err(Error::Newer { .. })) => {}
        (_, Err(error)) => panic!("neither damage nor a newer header: {error}"),
    }
}
