//! Sets small objects aside that do not open.
//!
//! | object | what counts of it | so |
//! |---|---|---|
//! | `sessions/<s>` | who holds what fast while the session lasts | a session without an outcome is closed, then nobody asks |
//! | `forgotten/<s>`, `damaged/<pack>` | its name | what it said for people is lost |
//! | `removals/<n>` of a finished round | its hash, which no damaged one has | nobody removes anything by it |
//! | `readings/<n>` | saves reading twice | what it told of is read again |
//! | `aside/<n>` | what was set aside before | that is set aside anew |
//!
//! Slots are for [`repair_snapshots`](super::repair_snapshots); marks and rounds for [`repair_index`](super::repair_index).

use std::{
    collections::{BTreeSet, HashSet},
    sync::Mutex,
    time::Instant,
};

use lbak_core::{
    backend::{Folder, ObjectName},
    error::{Error, Result},
    id::SessionId,
    observe::Stage,
    repository::Repository,
    snapshot::{AsideObject, set_aside},
    store::list_names,
};

use super::{RecordsRepairReport, RepairOptions, asking};
use crate::{
    Damage,
    ledger::Ledger,
    misread::tell_misread,
    records::{Told, check_records, open_record},
};

/// Sets aside every small object that does not open and that nothing waits for; it stays where it is.
///
/// Each is read twice, the second time from where it lies. A session whose announcement does not open and that has no outcome is closed: a
/// writer that is still at work begins anew.
///
/// # Errors
/// [`Error::Store`] when the store does not answer, [`Error::Cancelled`]. What was closed until then stays closed.
pub fn repair_records(repository: &Repository, options: &RepairOptions) -> Result<RecordsRepairReport> {
    let repository = &repository.as_stored().for_one_run();
    let begun = Instant::now();
    let looking = options.looking();
    let ledger = Ledger::new(&looking);
    ledger.stage(Stage::Structure);
    repository.workers().install(|| check_records(repository, &ledger))?;
    let mut report = RecordsRepairReport::default();
    let finished = newest_fin(repository)?;
    for damage in ledger.finish().damage {
        options.cancellation.check()?;
        let name = ObjectName::parse(&damage.object).filter(|name| is_set_aside_here(name, finished));
        match name {
            None => report.left.push(damage),
            Some(name) => match confirm(repository, &name, &looking)? {
                Some(Error::Newer { .. }) => report.left.push(damage),
                Some(_) => report.set_aside.push(damage),
                None => {}
            },
        }
    }
    if !report.set_aside.is_empty() {
        report.closed = close_sessions(repository, options, &report.set_aside)?;
        if !options.dry_run {
            let objects = report.set_aside.iter().map(|damage| object(damage, "only what it told people is lost"));
            put(repository, options, objects.collect())?;
        }
    }
    report.misread = tell_misread(repository, &*options.observer);
    report.elapsed = begun.elapsed();
    Ok(report)
}

fn object(damage: &Damage, lost: &str) -> AsideObject {
    AsideObject { name: damage.object.clone(), what: format!("{}; {lost}", damage.what) }
}

/// Puts the record: from here on verification knows.
pub(super) fn put(repository: &Repository, options: &RepairOptions, objects: Vec<AsideObject>) -> Result<()> {
    set_aside(&**repository.backend(), repository.codec(), options.who(), repository.now(), objects)
}

fn newest_fin(repository: &Repository) -> Result<Option<u64>> {
    let round = |(name, _)| if let ObjectName::Fin(round) = name { Some(round) } else { None };
    Ok(list_names(&**repository.backend(), Folder::Fin.prefix())?.into_iter().filter_map(round).max())
}

fn is_set_aside_here(name: &ObjectName, finished: Option<u64>) -> bool {
    match name {
        ObjectName::Session(_)
        | ObjectName::Forgotten(_)
        | ObjectName::Damaged(_)
        | ObjectName::Reading(_)
        | ObjectName::Aside(_) => true,
        // Of a round that is under way its collector, or the one that takes it over, has still to say what goes.
        ObjectName::Removals(round) => finished.is_some_and(|finished| *round <= finished),
        _ => false,
    }
}

/// Reads an object again, from where it lies; `None` when it opens.
pub(super) fn confirm(
    repository: &Repository,
    name: &ObjectName,
    looking: &crate::VerifyOptions,
) -> Result<Option<Error>> {
    let backend = &**repository.backend();
    let exact = name.to_string();
    let Some((_, size)) = list_names(backend, &exact)?.into_iter().find(|(listed, _)| listed == name) else {
        return Ok(Some(Error::damaged(exact, "it is missing")));
    };
    backend.forget_cached(name);
    let opened = open_record(repository, name, size, &HashSet::new(), &Mutex::new(Told::default()));
    match opened {
        Ok(()) => {
            repository.misread().note(name);
            Ok(None)
        }
        Err(error) if !error.is_of_one_object() => Err(error),
        Err(error) => {
            let quiet = crate::VerifyOptions { cancellation: looking.cancellation.clone(), ..Default::default() };
            match asking::really(backend, name, size, error, &Ledger::new(&quiet)) {
                Err(newer @ Error::Newer { .. }) => Ok(Some(newer)),
                really => really.map(Some),
            }
        }
    }
}

/// Closes the sessions among these that have no outcome. Whoever is at work in one finds it closed, and begins anew.
fn close_sessions(repository: &Repository, options: &RepairOptions, damaged: &[Damage]) -> Result<u64> {
    let sessions: BTreeSet<SessionId> = damaged
        .iter()
        .filter_map(|damage| match ObjectName::parse(&damage.object) {
            Some(ObjectName::Session(session)) => Some(session),
            _ => None,
        })
        .collect();
    if sessions.is_empty() {
        return Ok(0);
    }
    let undecided = asking::undecided_sessions(repository, &[])?;
    let mut closed = 0;
    for session in undecided.intersection(&sessions) {
        if options.dry_run {
            closed += 1;
            continue;
        }
        let reason = "its announcement does not open";
        closed += u64::from(repository.conclude(*session, &options.program(), reason)?);
    }
    Ok(closed)
}
