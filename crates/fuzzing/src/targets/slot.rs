//! Key slots: nobody but the key's owner makes one that opens, and none costs more than is sane.
//!
//! Input: the slot without its signature field and checksum.

use std::sync::LazyLock;

use crate::{memory, with_fitting_checksum};
use lbak_core::{
    codec::slot::{Credential, SlotForm, open_slot, read_head},
    error::Error,
    id::SlotId,
    keys::KeyFile,
};

/// The seeds are slots of this name, for this key and this password.
const SLOT: SlotId = SlotId([5; 16]);
static KEY: LazyLock<Credential> = LazyLock::new(|| {
    Credential::KeyFile(KeyFile::parse(include_bytes!("../../../../fuzz/corpus/keyfile/sound")).expect("a seed"))
});
static PASSWORD: LazyLock<Credential> = LazyLock::new(|| Credential::password("correct horse"));

/// Trying a password takes what the slot asks for; the fuzzer tries only the cheap ones.
const CHEAP_KIB: u32 = 64;

/// Runs the target.
pub fn slot(input: &[u8]) {
    let stored = with_fitting_checksum(input);
    let limit = memory::in_proportion_to(&stored);
    let head = memory::within(limit, || read_head(SLOT, &stored));
    let by_key = memory::within(limit, || open_slot(SLOT, &stored, &KEY));
    let Ok(head) = head else {
        assert!(matches!(by_key, Err(Error::Damaged { .. } | Error::Newer { .. })), "damage is told as such");
        return;
    };

    let cost = head.cost;
    let by_password = if !cost.is_sane() || (cost.memory_kib <= CHEAP_KIB && cost.passes <= 2) {
        memory::within(limit + ((CHEAP_KIB as usize) << 10), || open_slot(SLOT, &stored, &PASSWORD))
    } else {
        Ok(None)
    };
    if head.form == SlotForm::Password {
        let is_refused = matches!(by_password, Err(Error::AbsurdSlot { .. }));
        assert_eq!(is_refused, !cost.is_sane(), "an absurd cost is refused, and only that");
        assert!(matches!(by_key, Ok(None)), "a key file is no password");
    }
    for opened in [by_key, by_password].into_iter().flatten().flatten() {
        assert_eq!((opened.label.as_str(), &opened.masters[..]), ("a seed", &[(0, [9; 32])][..]), "a slot was forged");
    }
}
