//! The parity objects that are there.

use std::collections::BTreeSet;

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    codec::Codec,
    error::Result,
    id::{PackId, ParityId},
    parity::ParityObject,
    store::list_names,
};

use crate::{ledger::Ledger, object::check_object};

/// What came of looking at all parity objects.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) sound: Vec<ParityObject>,
    /// Damaged ones, with their lists where these open.
    damaged: Vec<(ObjectName, Option<ParityObject>)>,
}

impl Checked {
    /// All whose lists open: also the damaged ones may heal something.
    pub(crate) fn into_usable(self) -> Vec<ParityObject> {
        let damaged = self.damaged.into_iter().filter_map(|(_, object)| object);
        self.sound.into_iter().chain(damaged).collect()
    }

    /// Sets aside what is damaged and replaced: every pack that it was of, or any pack if that can not be told, has sound parity.
    ///
    /// `packs` are those that need it and can have it, `added` those that have got some meanwhile.
    pub(crate) fn set_replaced_aside(&self, packs: &[PackId], added: &[PackId], ledger: &Ledger<'_>) {
        if self.damaged.is_empty() {
            return;
        }
        let sound = self.sound.iter().flat_map(ParityObject::packs);
        let covered: BTreeSet<PackId> = sound.chain(added.iter().copied()).collect();
        for (name, object) in &self.damaged {
            let of: Option<BTreeSet<PackId>> = object.as_ref().map(|object| object.packs().collect());
            let is_of = |pack: &&PackId| of.as_ref().is_none_or(|of| of.contains(pack));
            if packs.iter().filter(is_of).all(|pack| covered.contains(pack)) {
                ledger.set_aside(&name.to_string());
            }
        }
    }
}

/// Reads the lists of all parity objects, and of the `whole` ones everything. Damage is noted.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn check_objects(
    backend: &dyn Backend,
    codec: Option<&Codec>,
    ledger: &Ledger<'_>,
    is_whole: &dyn Fn(&ParityId) -> bool,
) -> Result<Checked> {
    let mut checked = Checked::default();
    for (name, size) in list_names(backend, Folder::Parity.prefix())? {
        let ObjectName::Parity(id) = name else { continue };
        ledger.check_cancelled()?;
        let object = ledger.outlive(ParityObject::read(backend, codec, id, size))?;
        let is_sound =
            !is_whole(&id) || ledger.outlive(check_object(backend, &name, size, ledger, &mut |_| {}))?.is_some();
        match object {
            Some(object) if is_sound => checked.sound.push(object),
            object => checked.damaged.push((name, object)),
        }
    }
    Ok(checked)
}

/// Reads the lists of all parity objects that open.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn read_objects(backend: &dyn Backend, codec: Option<&Codec>) -> Result<Vec<ParityObject>> {
    let mut objects = Vec::new();
    for (name, size) in list_names(backend, Folder::Parity.prefix())? {
        let ObjectName::Parity(id) = name else { continue };
        match ParityObject::read(backend, codec, id, size) {
            Ok(object) => objects.push(object),
            Err(error) if error.is_of_one_object() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(objects)
}
