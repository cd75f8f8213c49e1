//! Finds the packs that are damaged or missing: what was wrong twice, and is still so when it is to be mended.

use std::collections::{BTreeMap, BTreeSet};

use lbak_core::{
    backend::ObjectName,
    error::{Error, Result},
    id::PackId,
    observe::Stage,
    repository::{Repository, View},
};

use super::{
    PacksRepairReport, RepairOptions,
    listing::{is_missing, list_packs},
    salvage::stored_size,
};
use crate::{
    VerifyOptions,
    data::{PackReading, Unsound},
    ledger::Ledger,
    object::read_bytes,
    packs::Packs,
};

/// Finds the packs that are damaged or missing, and says what is wrong with each.
pub(super) fn look(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    report: &mut PacksRepairReport,
) -> Result<BTreeMap<PackId, Fault>> {
    ledger.stage(Stage::Structure);
    let view = repository.view()?;
    let packs = list_packs(repository, &view, ledger)?;
    let missing = packs.missing();
    if let Some(unknown) = options.packs.iter().find(|pack| packs.get(pack).is_none() && !missing.contains(pack)) {
        let what = format!("there is no pack {unknown}, and the index names none: look at its id");
        return Err(Error::Invalid { what });
    }
    ledger.stage(Stage::ReadingData);
    let is_wanted = |pack: &PackId| options.packs.is_empty() || options.packs.contains(pack);
    let wanted = packs.listed().iter().filter(|pack| is_wanted(&pack.id));
    ledger.expect_bytes(wanted.map(|pack| read_bytes(&pack.name(), pack.size)).sum());
    let reading = PackReading::new(repository, &view.index, &packs, ledger);
    let Unsound { damaged, newer } = reading.run(&is_wanted)?;
    report.packs_read = reading.packs_read();
    report.newer = newer.into_iter().collect();
    let mut found = confirm(repository, options, &view, &packs, &damaged, ledger)?;
    found.extend(packs.missing().into_iter().filter(is_wanted).map(|pack| (pack, Fault::Missing)));
    Ok(found)
}

/// What is wrong with a pack.
pub(super) enum Fault {
    /// Its bytes, as this says.
    Bytes(String),
    /// It is not there.
    Missing,
}

impl Fault {
    fn what(&self) -> String {
        match self {
            Self::Bytes(what) => what.clone(),
            Self::Missing => "it is missing".into(),
        }
    }
}

/// Reads packs again that are not as they should be: bad memory or a bad cable spoils a sound pack once, and only what is wrong twice
/// is damage. What the index says of a pack does not count: only its own bytes do.
fn confirm(
    repository: &Repository,
    options: &RepairOptions,
    view: &View,
    packs: &Packs,
    damaged: &BTreeSet<PackId>,
    ledger: &Ledger<'_>,
) -> Result<BTreeMap<PackId, Fault>> {
    let quiet = VerifyOptions { cancellation: options.cancellation.clone(), ..VerifyOptions::default() };
    let again = Ledger::new(&quiet);
    // Listed anew: what was listed with a wrong length was read wrongly.
    let mut listed = Vec::new();
    for pack in damaged {
        repository.backend().forget_cached(&ObjectName::Pack(*pack));
        listed.extend(stored_size(&**repository.backend(), pack)?.map(|size| (*pack, size)));
    }
    let anew = Packs::new(listed);
    let confirmed = PackReading::new(repository, &view.index, &anew, &again).run(&|_| true)?.damaged;
    let told: BTreeMap<String, String> =
        again.finish().damage.into_iter().map(|damage| (damage.object, damage.what)).collect();
    let mut found = BTreeMap::new();
    for pack in damaged {
        let name = ObjectName::Pack(*pack);
        let size_in = |packs: &Packs| packs.get(pack).map(|listed| listed.size);
        if size_in(packs) != size_in(&anew) {
            ledger.set_aside(&name.to_string());
            ledger
                .note(format!("{name} was listed with another length the second time: it is left to the next repair"));
        } else if confirmed.contains(pack) {
            let fault = || packs.misfits().get(pack).and_then(|row| packs.fault(row)).map(|error| error.to_string());
            let what = told.get(&name.to_string()).cloned().or_else(fault);
            found.insert(*pack, Fault::Bytes(what.unwrap_or_else(|| "it is damaged".into())));
        } else {
            ledger.set_aside(&name.to_string());
            repository.misread().note(&name);
        }
    }
    Ok(found)
}

/// A pack that is damaged or missing, as a session sees it.
pub(super) struct Suspect {
    pub(super) what: String,
    /// A segment that counts names it.
    pub(super) is_named: bool,
}

/// What is still so after the announcement: a pack that is missing may have been reclaimed meanwhile.
pub(super) fn still_wrong(
    repository: &Repository,
    view: &View,
    found: &BTreeMap<PackId, Fault>,
    ledger: &Ledger<'_>,
) -> Result<BTreeMap<PackId, Suspect>> {
    let mut named = BTreeSet::new();
    for segment in view.index.segments() {
        let rows = ledger.outlive(segment.pack_rows())?.into_iter().flatten();
        named.extend(rows.map(|row| row.id).filter(|pack| found.contains_key(pack)));
    }
    let mut suspects = BTreeMap::new();
    for (pack, fault) in found {
        let is_named = named.contains(pack);
        let is_so = match fault {
            Fault::Bytes(_) => true,
            Fault::Missing => is_named && is_missing(&**repository.backend(), pack)?,
        };
        if is_so {
            suspects.insert(*pack, Suspect { what: fault.what(), is_named });
        }
    }
    Ok(suspects)
}
