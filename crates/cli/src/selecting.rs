//! Which snapshot is meant, and what is said about the choice.

use std::ffi::OsStr;

use anyhow::Context;
use lbak::{Catalog, Committed, Error, Manifest, Pick, Repository, Selection, Timestamp, escape};

use crate::{
    arguments::SelectionArguments,
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
    let path = arguments.path.as_ref().map(|path| paths::absolute(path)).transpose().context("cannot use --path")?;
    Ok(Selection { host: arguments.host.clone(), path, tag: arguments.tag.clone(), ..Selection::default() })
}

/// Chooses the one snapshot that is meant, and tells which and how far from the time asked for.
pub(crate) fn choose(
    repository: &Repository,
    output: &Output,
    snapshot: &OsStr,
    at: Option<&str>,
    arguments: &SelectionArguments,
) -> anyhow::Result<Choice> {
    let now = repository.now();
    let at = at.map(|text| times::parse(text, now)).transpose()?;
    let selection = Selection { pick: Pick::parse(&snapshot.to_string_lossy())?, at, ..narrow(arguments)? };
    let catalog = repository.catalog()?;
    let exit = tell_damage(output, &catalog);
    let chosen = selection.choose(&catalog, now).map_err(|error| explain(error, exit))?;
    output.note(&describe(chosen.snapshot, at, now));
    if chosen.is_from_the_future {
        output.warn("this snapshot is dated in the future: a clock is wrong, here or where it was taken");
    }
    Ok(Choice { manifest: chosen.snapshot.manifest.clone(), exit })
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
    let paths: Vec<String> = manifest.paths.iter().map(|path| escape(path)).collect();
    format!("{} on host {}", paths.join(" "), escape(manifest.host.as_bytes()))
}

fn describe(snapshot: &Committed, at: Option<Timestamp>, now: Timestamp) -> String {
    let manifest = &snapshot.manifest;
    let moment = snapshot.moment();
    let mut text = format!("snapshot {} of {}, {}", manifest.id.short(), source_of(manifest), times::local(moment));
    if moment <= now {
        text.push_str(&format!(", {} ago", times::gap(moment, now)));
    }
    if let Some(at) = at {
        text.push_str(&format!(", {} before the time asked for", times::gap(moment, at)));
    }
    text
}

/// What was not found may be in a slot that is damaged.
fn explain(error: Error, exit: Exit) -> anyhow::Error {
    match error {
        Error::NoSnapshot { .. } if exit == Exit::Damage => {
            let trouble = Trouble::new(Exit::Damage, format!("{error} among those that can be read"));
            trouble.hint("`lbak verify` names what is damaged").into()
        }
        error => error.into(),
    }
}
