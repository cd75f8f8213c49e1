//! What can be told without a key: that every object still has the bytes that were written.

use std::time::Instant;

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    error::{Error, Result},
    observe::Stage,
};
use rayon::prelude::*;

use crate::{
    VerifyOptions, VerifyReport,
    ledger::Ledger,
    object::check_object,
    parity::{Healer, read_objects},
};

/// Names of objects that are held at once.
const HELD_NAMES: u64 = 100_000;

/// Reads every object whole and compares it with its name or trailer: finds decay, not malice, and not what is missing.
///
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
    list(backend, "", &mut |name, size| match ObjectName::parse(name) {
        Some(name) => {
            report.objects += 1;
            total_bytes += size;
            report.packs += u64::from(matches!(name, ObjectName::Pack(_)));
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
    let healer = Healer { backend, objects: read_objects(backend, None)?, ledger: &ledger };
    report.parity_objects = healer.objects.len() as u64;
    report.healable = healer.healable(usize::MAX)?;
    report.packs_read = report.packs;
    report.bytes_read = ledger.bytes();
    let found = ledger.finish();
    (report.damage, report.notes) = (found.damage, found.notes);
    report.elapsed = begun.elapsed();
    Ok(report)
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
