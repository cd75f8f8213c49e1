//! Which snapshot is meant, and what is said about the choice.

use std::ffi::{OsStr, OsString};

use anyhow::Context;
use lbak::{Catalog, Committed, Error, Manifest, Pick, Repository, Selection, Timestamp, escape};

use crate::{
    arguments::SelectionArguments,
    backups,
    exit::{Exit, Trouble},
    output::Output,
    paths, times,
};

/// The snapshot that was chosen.
pub(crate) struct Choice {
    /// What is recorded of it.
    pub(crate) manifest: Manifest,
    /// [`Exit::Damage`] when slots of other snapshots are damaged: there may be a newer one.
    pub(crate) exit: Exit,
}

/// Reads the conditions that narrow which snapshots are meant.
pub(crate) fn narrow(arguments: &SelectionArguments) -> anyhow::Result<Selection> {
    let paths = arguments.paths.iter().map(|path| paths::absolute(path));
    let paths = paths.collect::<Result<_, _>>().context("cannot use --path")?;
    Ok(Selection { host: arguments.host.clone(), paths, tag: arguments.tag.clone(), ..Selection::default() })
}

/// Chooses the one snapshot that is meant, and tells which and how far from the time asked for.
pub(crate) fn choose(
    repository: &Repository,
    output: &Output,
    (snapshot, path): (&OsStr, Option<&[u8]>),
    at: Option<&str>,
    arguments: &SelectionArguments,
) -> anyhow::Result<Choice> {
    let now = repository.now();
    let at = at.map(|text| times::parse(text, now)).transpose()?;
    let within = path.map(<[u8]>::to_vec);
    let selection = Selection { pick: Pick::parse(&snapshot.to_string_lossy())?, at, within, ..narrow(arguments)? };
    let catalog = repository.catalog()?;
    let exit = tell_damage(output, &catalog);
    let chosen = selection.choose(&catalog, now).map_err(|error| match at {
        Some(at) => explain_time(error, exit, &selection, &catalog, at),
        None => explain(error, exit, &selection, &catalog),
    })?;
    output.note(&describe(chosen.snapshot, at, now));
    if chosen.is_from_the_future {
        output.warn("this snapshot is dated in the future: a clock is wrong, here or where it was taken");
    }
    Ok(Choice { manifest: chosen.snapshot.manifest.clone(), exit })
}

/// Chooses the one snapshot that is meant, perhaps for a path in it, and tells nothing.
pub(crate) fn choose_one<'c>(
    catalog: &'c Catalog,
    now: Timestamp,
    (snapshot, path): (&OsStr, Option<&[u8]>),
    arguments: &SelectionArguments,
) -> anyhow::Result<&'c Committed> {
    let within = path.map(<[u8]>::to_vec);
    let selection = Selection { pick: Pick::parse(&snapshot.to_string_lossy())?, within, ..narrow(arguments)? };
    let exit = Exit::damage_if(!catalog.damaged.is_empty());
    let chosen = selection.choose(catalog, now).map_err(|error| explain(error, exit, &selection, catalog))?;
    Ok(chosen.snapshot)
}

/// Chooses the snapshots that are named, in that order, each once; all that the conditions leave, oldest first, when none is.
pub(crate) fn choose_all<'c>(
    catalog: &'c Catalog,
    output: &Output,
    now: Timestamp,
    snapshots: &[OsString],
    arguments: &SelectionArguments,
) -> anyhow::Result<Vec<&'c Committed>> {
    tell_damage(output, catalog);
    if snapshots.is_empty() {
        return Ok(narrow(arguments)?.narrow(catalog).collect());
    }
    let mut chosen: Vec<&Committed> = Vec::new();
    for snapshot in snapshots {
        let snapshot = choose_one(catalog, now, (snapshot, None), arguments)?;
        if !chosen.iter().any(|other| other.session == snapshot.session) {
            chosen.push(snapshot);
        }
    }
    Ok(chosen)
}

/// A path that is not in a snapshot is told with those that are.
pub(crate) fn explain_path(error: Error, manifest: &Manifest) -> anyhow::Error {
    match error {
        Error::NotInSnapshot { .. } => {
            let paths = paths::joined(manifest.paths.iter().map(Vec::as_slice));
            let hint = format!("it holds {paths}; `lbak ls {} -R` lists what is in it", manifest.id.short());
            Trouble::new(Exit::Failed, error.to_string()).hint(hint).into()
        }
        error => error.into(),
    }
}

/// Tells of snapshots that can not be read.
pub(crate) fn tell_damage(output: &Output, catalog: &Catalog) -> Exit {
    for (_, error) in &catalog.damaged {
        output.warn(&format!("a snapshot can not be read: {error}"));
    }
    Exit::damage_if(!catalog.damaged.is_empty())
}

/// Host and paths, for people.
pub(crate) fn source_of(manifest: &Manifest) -> String {
    let paths = paths::joined(manifest.paths.iter().map(Vec::as_slice));
    format!("{paths} on host {}", escape(manifest.host.as_bytes()))
}

/// The moment that a snapshot is of, for people.
pub(crate) fn when(manifest: &Manifest) -> String {
    times::local(manifest.point_in_time.unwrap_or(manifest.ended_at))
}

/// `3fa2b1c0 of /srv/models on host db1, 2026-11-22 10:00:00`.
pub(crate) fn in_short(manifest: &Manifest) -> String {
    format!("{} of {}, {}", manifest.id.short(), source_of(manifest), when(manifest))
}

fn describe(snapshot: &Committed, at: Option<Timestamp>, now: Timestamp) -> String {
    let manifest = &snapshot.manifest;
    let moment = snapshot.moment();
    let mut text = format!("snapshot {}", in_short(manifest));
    if moment <= now {
        text.push_str(&format!(", {} ago", times::gap(moment, now)));
    }
    if let Some(at) = at {
        text.push_str(&format!(", {} before the time asked for", times::gap(moment, at)));
    }
    text
}

/// What was not found at a time is told with what that time was taken for, and what there is.
fn explain_time(error: Error, exit: Exit, selection: &Selection, catalog: &Catalog, at: Timestamp) -> anyhow::Error {
    let at_any_time = Selection { at: None, ..selection.clone() };
    let oldest = at_any_time.narrow(catalog).next();
    match (&error, oldest) {
        (Error::NoSnapshot { .. }, Some(oldest)) if exit != Exit::Damage && oldest.moment() > at => {
            let trouble = Trouble::new(Exit::NoSnapshot, error.to_string());
            let (at, oldest) = (times::local_with_zone(at), in_short(&oldest.manifest));
            trouble.hint(format!("the time asked for is {at}; the oldest snapshot is {oldest}")).into()
        }
        _ => explain(error, exit, selection, catalog),
    }
}

/// What was not found may be in a slot that is damaged; of several backups, each can be named.
fn explain(error: Error, exit: Exit, selection: &Selection, catalog: &Catalog) -> anyhow::Error {
    match error {
        Error::SeveralGroups { asked, .. } => {
            let trouble = Trouble::new(Exit::NoSnapshot, format!("{asked} could mean several backups"));
            trouble.hint(backups::ways_to_name_one(selection, catalog)).into()
        }
        Error::NoSnapshot { .. } if exit == Exit::Damage => {
            let trouble = Trouble::new(Exit::Damage, format!("{error} among those that can be read"));
            trouble.hint("`lbak verify` names what is damaged, `lbak repair --help` tells what to do then").into()
        }
        error => error.into(),
    }
}
