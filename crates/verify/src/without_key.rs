//! What can be told without a key: that every object still has the bytes that were written.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    observe::Stage,
    parity::ParityObject,
    store::list_names,
};
use rayon::prelude::*;

use crate::{
    VerifyOptions, VerifyReport,
    ledger::Ledger,
    object::{check_object, read_bytes},
    parity::{Healer, read_objects},
};

/// Names of objects that are held at once.
const HELD_NAMES: u64 = 100_000;

/// Reads every object whole and compares it with its name or trailer: finds decay, not malice; of what is missing, packs that parity was made of.
///
/// Nothing else is named without a key. Once packs were reclaimed, those are told of in a note: nobody without a key knows whether they were.
/// Unknown names are counted and left alone.
///
/// # Errors
/// [`Error::NoRepository`], [`Error::Store`] when the store does not answer, [`Error::Cancelled`].
pub fn verify_without_key(backend: &dyn Backend, options: &VerifyOptions) -> Result<VerifyReport> {
    let begun = Instant::now();
    let ledger = Ledger::new(options);
    ledger.stage(Stage::ReadingData);
    let mut report = VerifyReport::default();
    let (mut total_bytes, mut strangers, mut has_config) = (0, 0_u64, false);
    // Before the packs are listed: of a pack that comes later there is no parity yet.
    let objects = read_objects(backend, None)?;
    let mut unlisted: HashSet<PackId> = objects.iter().flat_map(ParityObject::packs).collect();
    list(backend, "", &mut |name, size| match ObjectName::parse(name) {
        Some(name) => {
            report.objects += 1;
            total_bytes += read_bytes(&name, size);
            if let ObjectName::Pack(pack) = &name {
                report.packs += 1;
                unlisted.remove(pack);
            }
            has_config |= name == ObjectName::Config;
        }
        None => strangers += 1,
    })?;
    if report.objects == 0 {
        return Err(Error::NoRepository { place: backend.describe().place });
    }
    ledger.expect_bytes(total_bytes);
    if strangers > 0 {
        ledger.note(strangers_note(strangers));
    }
    if !has_config {
        ledger.damage("config", "it is missing");
    }

    let workers = rayon::ThreadPoolBuilder::new()
        .thread_name(|number| format!("lbak-verify-{number}"))
        .build()
        .map_err(|error| Error::System { what: "worker threads", source: std::io::Error::other(error) })?;
    let mut prefixes = vec![String::new()];
    if report.objects > HELD_NAMES {
        // Folder by folder and shelf by shelf, so that no more names than one shelf has are held.
        let folders = Folder::ALL.into_iter().filter(|folder| *folder != Folder::Packs);
        prefixes = folders.map(|folder| folder.prefix().to_owned()).collect();
        prefixes.push("config".into());
        prefixes.extend((0..=u8::MAX).map(|shelf| format!("{}{shelf:02x}/", Folder::Packs.prefix())));
    }
    workers.install(|| {
        prefixes.iter().try_for_each(|prefix| {
            let mut names = Vec::new();
            list(backend, prefix, &mut |name, size| names.extend(ObjectName::parse(name).map(|name| (name, size))))?;
            names.par_iter().with_max_len(1).try_for_each(|(name, size)| {
                ledger.check_cancelled()?;
                ledger.outlive(check_object(backend, name, *size, &ledger, &mut |_| {})).map(|_| ())
            })
        })
    })?;
    tell_missing(backend, &objects, &unlisted, &ledger)?;
    let healer = Healer { backend, objects, ledger: &ledger };
    report.parity_objects = healer.objects.len() as u64;
    report.healable = healer.healable(usize::MAX)?;
    report.packs_read = report.packs;
    report.bytes_read = ledger.bytes();
    let found = ledger.finish();
    (report.damage, report.notes) = (found.damage, found.notes);
    report.elapsed = begun.elapsed();
    Ok(report)
}

/// Tells of packs that sound parity was made of and that are not there.
fn tell_missing(
    backend: &dyn Backend,
    objects: &[ParityObject],
    unlisted: &HashSet<PackId>,
    ledger: &Ledger<'_>,
) -> Result<()> {
    let mut missing = BTreeMap::new();
    for object in objects.iter().filter(|object| !ledger.has(&object.name().to_string())) {
        for pack in object.packs().filter(|pack| unlisted.contains(pack)) {
            missing.entry(pack).or_insert(object.id);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    // A finished round of reclaiming is there before anything is taken away, and stays.
    if !list_names(backend, Folder::Fin.prefix())?.is_empty() {
        let count = missing.len();
        ledger.note(format!(
            "{count} of the packs that parity was made of are not there: reclaimed, or missing; `verify` with the key tells"
        ));
        return Ok(());
    }
    for (pack, parity) in missing {
        ledger.damage(ObjectName::Pack(pack), format!("it is missing: {} was made of it", ObjectName::Parity(parity)));
    }
    Ok(())
}

pub(crate) fn strangers_note(count: u64) -> String {
    format!("{count} names are not lbak's: they were left alone")
}

pub(crate) fn list(backend: &dyn Backend, prefix: &str, found: &mut dyn FnMut(&str, u64)) -> Result<()> {
    let listed = backend.list(prefix, &mut |name, size| {
        found(name, size);
        Ok(())
    });
    listed.map_err(|error| Error::store("list", if prefix.is_empty() { "the repository" } else { prefix }, error))
}
