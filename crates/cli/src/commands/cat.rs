//! `lbak cat`: shows what one object, or one chunk, holds.

use std::io::Write;

use anyhow::Context;
use lbak::{
    Cancellation, Error, Folder, ObjectName, Pick, Repository, Selection,
    id::{ChunkId, ChunkKind},
    tree::{NameRule, decode_list, decode_tree},
};
use serde_json::{Value, json};

use crate::{
    arguments::{CatArguments, ObjectKind},
    exit::{Exit, Trouble},
    invocation::Invocation,
    json::object,
    opening, selecting,
    streams::RawOutput,
};

/// Chunks that are named when a beginning is not enough.
const NAMED: usize = 10;

pub(crate) fn run(arguments: &CatArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let kind = arguments.kind;
    let id = match (&arguments.id, kind) {
        (None, ObjectKind::Config) => String::new(),
        (Some(_), ObjectKind::Config) => return Err(Trouble::usage("there is one config: it has no id").into()),
        (None, _) => return Err(Trouble::usage("give the id, or the beginning of it").into()),
        (Some(id), _) => digits(id),
    };
    if kind == ObjectKind::Chunk && invocation.output.is_json() {
        return Err(Trouble::usage("a chunk is printed as it is, not as JSON").into());
    }
    let opened = opening::open(invocation, None)?;
    let repository = &opened.repository;
    let exit = Exit::damage_if(!repository.damage().is_empty());
    let cancellation = invocation.cancellation();
    let shown = match kind {
        ObjectKind::Config => stored(repository, &ObjectName::Config)?,
        ObjectKind::Snapshot => return Ok(exit.or_worse(snapshot(repository, &id, invocation)?)),
        ObjectKind::Tree => tree(repository, &id, &cancellation)?,
        ObjectKind::List => {
            let (id, bytes) = chunk(repository, ChunkKind::List, &id, &cancellation)?;
            object::list(&decode_list(&format!("list {}", id.short()), &bytes)?)
        }
        ObjectKind::Chunk => {
            let (_, bytes) = chunk(repository, ChunkKind::Data, &id, &cancellation)?;
            write_raw(&bytes)?;
            return Ok(exit);
        }
        _ => stored(repository, &find(repository, kind, &id)?)?,
    };
    show(invocation, kind, shown)?;
    Ok(exit)
}

/// The id alone: objects are named with their folder in messages.
fn digits(id: &str) -> String {
    let last = id.rsplit('/').next().unwrap_or(id);
    last.strip_prefix("m-").unwrap_or(last).to_owned()
}

fn show(invocation: &Invocation<'_>, kind: ObjectKind, shown: Value) -> anyhow::Result<()> {
    if invocation.output.is_json() {
        let kind = format!("{kind:?}").to_lowercase();
        return invocation.output.json(&json!({ "message_type": "object", "kind": kind, "content": shown }));
    }
    let text = serde_json::to_string_pretty(&shown).context("cannot write JSON")?;
    text.lines().try_for_each(|line| invocation.output.line(line))
}

fn snapshot(repository: &Repository, id: &str, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let catalog = repository.catalog()?;
    let exit = selecting::tell_damage(invocation.output, &catalog);
    let selection = Selection { pick: Pick::parse(id)?, ..Selection::default() };
    let chosen = selection.choose(&catalog, repository.now())?;
    show(invocation, ObjectKind::Snapshot, object::manifest(&chosen.snapshot.manifest))?;
    Ok(exit)
}

fn stored(repository: &Repository, name: &ObjectName) -> anyhow::Result<Value> {
    let mut size = None;
    let exact = name.to_string();
    let listed = repository.backend().list(&exact, &mut |found, bytes| {
        size = size.or((found == exact).then_some(bytes));
        Ok(())
    });
    listed.map_err(|error| Error::store("list", &exact, error))?;
    let Some(size) = size else { return Err(Error::damaged(name, "it is missing").into()) };
    Ok(object::object(&repository.open_stored(name, size)?))
}

/// The one object of a kind whose id begins like this.
fn find(repository: &Repository, kind: ObjectKind, digits: &str) -> anyhow::Result<ObjectName> {
    let folder = match kind {
        ObjectKind::Session => Folder::Sessions,
        ObjectKind::Key => Folder::Keys,
        ObjectKind::Pack => Folder::Packs,
        ObjectKind::Segment => Folder::Index,
        ObjectKind::Forgotten => Folder::Forgotten,
        ObjectKind::Damaged => Folder::Damaged,
        ObjectKind::Mark => Folder::Marks,
        ObjectKind::Removals => Folder::Removals,
        ObjectKind::Fin => Folder::Fin,
        ObjectKind::Reading => Folder::Readings,
        ObjectKind::Aside => Folder::Aside,
        ObjectKind::Parity => Folder::Parity,
        _ => Folder::Snapshots,
    };
    let found: Vec<ObjectName> = repository.objects_like(folder, digits)?.into_iter().map(|(name, _)| name).collect();
    only(found, folder.prefix(), digits)
}

/// The only one of those found.
fn only<T: ToString>(mut found: Vec<T>, what: &str, digits: &str) -> anyhow::Result<T> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => {
            let trouble = Trouble::new(Exit::Failed, format!("nothing in {what} begins with `{digits}`"));
            Err(trouble.hint("ids are lower-case hex; `lbak snapshots` and `lbak cat snapshot` name some").into())
        }
        (Some(one), false) => {
            found.push(one);
            let names: Vec<String> = found.iter().take(NAMED).map(ToString::to_string).collect();
            let trouble = Trouble::usage(format!("`{digits}` is ambiguous in {what}"));
            Err(trouble.hint(format!("give more digits: {}", names.join(" "))).into())
        }
    }
}

/// Finds a chunk by the beginning of its id and reads it.
fn chunk(
    repository: &Repository,
    kind: ChunkKind,
    digits: &str,
    cancellation: &Cancellation,
) -> anyhow::Result<(ChunkId, Vec<u8>)> {
    let view = repository.view()?;
    repository.index_loose_packs(&view, cancellation)?;
    let what = match kind {
        ChunkKind::Data => "the chunks of files",
        ChunkKind::Tree => "the trees",
        ChunkKind::List => "the lists",
    };
    let id = match ChunkId::from_hex(digits)
        .filter(|id| view.index.find(id, kind, &mut |_| true).is_ok_and(|found| found.is_some()))
    {
        Some(id) => id,
        None => only(repository.chunks_like(&view, kind, digits, NAMED + 1)?, what, digits)?,
    };
    let bytes = repository.reader(&view).read(kind, &id)?.to_vec();
    Ok((id, bytes))
}

fn tree(repository: &Repository, digits: &str, cancellation: &Cancellation) -> anyhow::Result<Value> {
    let (id, bytes) = chunk(repository, ChunkKind::Tree, digits, cancellation)?;
    let name = format!("tree {}", id.short());
    // Nothing in a tree tells whether it is one of roots, whose names are paths.
    let node = decode_tree(&name, NameRule::Component, &bytes)
        .or_else(|error| decode_tree(&name, NameRule::AbsolutePath, &bytes).map_err(|_| error))?;
    Ok(object::tree(&node))
}

fn write_raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = RawOutput::new()?;
    match stdout.write_all(bytes) {
        Err(_) if stdout.is_closed => Ok(()),
        Err(_) if stdout.is_refused => Err(RawOutput::refusal()),
        outcome => outcome.context("cannot write to standard output"),
    }
}
