//! Looks everything up that a snapshot refers to: while something is being reclaimed, nothing is taken on trust.

use std::{cell::RefCell, collections::HashSet};

use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::Location,
    observe::Cancellation,
    repository::{Repository, View},
    snapshot::{Extent, Manifest},
    store::ChunkReader,
    tree::{Entry, NameRule, Node, TreeReader, for_each_reference},
};

/// Passes when every chunk that a manifest refers to has a copy in a pack to which a new reference is allowed.
///
/// Reads every tree and list; holds the id of every directory.
pub(super) fn look_up(
    repository: &Repository,
    view: &View,
    manifest: &Manifest,
    cancellation: &Cancellation,
) -> Result<()> {
    let reader = repository.reader(view);
    let search = Search { view, reader: &reader };
    manifest.findings.all.iter().try_for_each(|id| search.find(ChunkKind::List, id))?;
    let mut seen: HashSet<ChunkId> = HashSet::from([manifest.root]);
    let mut open = vec![(NameRule::AbsolutePath, manifest.root)];
    let mut extent = Extent::of(manifest);
    while let Some((rule, tree)) = open.pop() {
        cancellation.check()?;
        search.directory(rule, tree, &mut |entry| {
            extent.meet(entry)?;
            if let Node::Directory { tree } = &entry.node
                && seen.insert(*tree)
            {
                open.push((NameRule::Component, *tree));
            }
            Ok(())
        })?;
    }
    Ok(())
}

struct Search<'a> {
    view: &'a View,
    reader: &'a ChunkReader,
}

impl Search<'_> {
    fn directory(&self, rule: NameRule, tree: ChunkId, each: &mut dyn FnMut(&Entry) -> Result<()>) -> Result<()> {
        // The nodes of a large directory, which no entry names.
        let nodes: RefCell<Vec<ChunkId>> = RefCell::default();
        let read = |kind, id: &ChunkId| {
            if kind == ChunkKind::Tree {
                nodes.borrow_mut().push(*id);
            }
            self.reader.read(kind, id).map_err(unreadable)
        };
        let entries = TreeReader::open(rule, tree, &read).map_err(unreadable)?;
        for entry in entries {
            let entry = entry.map_err(|lost| unreadable(lost.error))?;
            each(&entry)?;
            for_each_reference(&entry, &read, &mut |reference| {
                let reference = reference.map_err(|lost| unreadable(lost.error))?;
                self.find(reference.kind, &reference.id)
            })?;
        }
        nodes.take().iter().try_for_each(|id| self.find(ChunkKind::Tree, id))
    }

    fn find(&self, kind: ChunkKind, id: &ChunkId) -> Result<()> {
        // The index does not tell the base of a difference, so that could not be looked up.
        let is_staying = |location: &Location| !location.has_base && self.view.is_usable(&location.pack.id);
        let found = self.view.index.find(id, kind, &mut |location| is_staying(location));
        match found.map_err(unreadable)? {
            Some(_) => Ok(()),
            None => Err(too_late(format!("{kind:?} chunk {} is in no pack that stays", id.short()).to_lowercase())),
        }
    }
}

fn too_late(what: String) -> Error {
    Error::TooLate { what }
}

/// A tree that is gone or does not open: what is below it can not be looked up.
fn unreadable(error: Error) -> Error {
    if error.is_damage() { too_late(error.to_string()) } else { error }
}
