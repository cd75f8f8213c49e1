//! Which snapshots and paths need what can not be read. Walks the snapshots once more, only when damage was found.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use lbak_core::{
    backend::ObjectName,
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId},
    index::IdPrefix,
    store::ChunkReader,
    tree::{Attributes, Entry, NameRule, Node, TreeReader, for_each_reference, read_attributes},
};
use rayon::prelude::*;

use crate::{
    HurtSnapshot, bits::Bits, ledger::Ledger, packs::Packs, places::BadPlaces, records::KnownSnapshot, roots::Roots,
};

/// Paths of a snapshot that are named; the others are counted.
const NAMED_PATHS: usize = 100;

/// What the second walk needs.
pub(crate) struct Hurt<'a> {
    ledger: &'a Ledger<'a>,
    reader: &'a ChunkReader,
    packs: &'a Packs,
    bad: &'a BadPlaces,
    /// Packs of a wrong length were tried block by block.
    are_misfits_tried: bool,
    /// Trees below which everything is sound.
    sound: Bits,
    /// Packs of which something was needed and could not be read.
    needed: Mutex<BTreeSet<PackId>>,
}

/// A directory that is being walked.
struct Frame<'a> {
    id: ChunkId,
    entries: TreeReader<'a>,
    path_length: usize,
    is_hurt: bool,
}

impl<'a> Hurt<'a> {
    pub(crate) fn new(
        ledger: &'a Ledger<'a>,
        reader: &'a ChunkReader,
        packs: &'a Packs,
        bad: &'a BadPlaces,
        are_misfits_tried: bool,
    ) -> Self {
        let sound = Bits::new(&reader.index().segments());
        Self { ledger, reader, packs, bad, are_misfits_tried, sound, needed: Mutex::default() }
    }

    /// The packs of which something was needed and could not be read.
    pub(crate) fn into_needed(self) -> BTreeSet<PackId> {
        self.needed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn need(&self, packs: impl IntoIterator<Item = PackId>) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).extend(packs);
    }

    /// Passes over damage, which the first walk has told of.
    fn outlive(&self, error: Error) -> Result<()> {
        if !error.is_of_one_object() {
            return Err(error);
        }
        if let Error::Damaged { object, .. } | Error::Newer { object, .. } | Error::Store { object, .. } = &error
            && let Some(ObjectName::Pack(pack)) = ObjectName::parse(object)
        {
            self.need([pack]);
        }
        Ok(())
    }

    /// The snapshots that something can not be restored of.
    pub(crate) fn find(&self, snapshots: &[KnownSnapshot]) -> Result<Vec<HurtSnapshot>> {
        let kept = snapshots.par_iter().filter(|snapshot| !snapshot.is_forgotten);
        let hurt: Result<Vec<HurtSnapshot>> = kept.map(|snapshot| self.snapshot(snapshot)).collect();
        Ok(hurt?.into_iter().filter(|snapshot| snapshot.path_count > 0).collect())
    }

    fn snapshot(&self, snapshot: &KnownSnapshot) -> Result<HurtSnapshot> {
        let mut hurt = HurtSnapshot { snapshot: snapshot.id, paths: Vec::new(), path_count: 0 };
        if snapshot.is_overfull {
            snapshot.paths.iter().for_each(|path| hurt.add(path));
            return Ok(hurt);
        }
        let read = |kind: ChunkKind, id: &ChunkId| {
            self.ledger.check_cancelled()?;
            self.reader.read(kind, id)
        };
        for id in &snapshot.findings {
            read(ChunkKind::List, id).map_or_else(|error| self.outlive(error), |_| Ok(()))?;
        }
        let mut path = Vec::new();
        let (mut open, mut roots) = (Vec::new(), Roots::default());
        let mut extent = snapshot.extent.clone();
        match TreeReader::open(NameRule::AbsolutePath, snapshot.root, &read) {
            Ok(entries) => open.push(Frame { id: snapshot.root, entries, path_length: 0, is_hurt: false }),
            Err(error) => {
                self.outlive(error)?;
                snapshot.paths.iter().for_each(|path| hurt.add(path));
            }
        }
        loop {
            let is_root = open.len() == 1;
            let Some(frame) = open.last_mut() else { break };
            path.truncate(frame.path_length);
            match frame.entries.next() {
                Some(Ok(entry)) => {
                    // Whoever can not be restored to its end is hurt where that shows, and nobody looks further.
                    if let Err(error) = extent.meet(&entry) {
                        hurt.add(&path);
                        self.ledger.blame(error)?;
                        break;
                    }
                    append(&mut path, &entry.name);
                    let is_below = is_root && roots.meet(&entry.name).is_some();
                    let is_whole = self.is_whole(&entry, &read)? && !is_below;
                    if !is_whole {
                        frame.is_hurt = true;
                        hurt.add(&path);
                    }
                    let Node::Directory { tree } = entry.node else { continue };
                    if self.is_known_sound(&tree)? {
                        continue;
                    }
                    match TreeReader::open(NameRule::Component, tree, &read) {
                        Ok(entries) => {
                            open.push(Frame { id: tree, entries, path_length: path.len(), is_hurt: false });
                        }
                        Err(error) => {
                            self.outlive(error)?;
                            frame.is_hurt = true;
                            if is_whole {
                                hurt.add(&path);
                            }
                        }
                    }
                }
                Some(Err(lost)) => {
                    self.outlive(lost.error)?;
                    frame.is_hurt = true;
                    hurt.add(if path.is_empty() { b"/" } else { &path });
                }
                None => {
                    let Frame { id, is_hurt, .. } = open.pop().expect("it was just looked at");
                    if let Some(above) = open.last_mut() {
                        above.is_hurt |= is_hurt;
                    }
                    // A list of roots is no directory, whatever says so.
                    if !is_hurt
                        && !is_root
                        && let Some(ordinal) = self.reader.index().ordinal(&id, ChunkKind::Tree)?
                    {
                        self.sound.set(ordinal);
                    }
                }
            }
        }
        Ok(hurt)
    }

    fn is_known_sound(&self, tree: &ChunkId) -> Result<bool> {
        match self.reader.index().ordinal(tree, ChunkKind::Tree) {
            Ok(ordinal) => Ok(ordinal.is_some_and(|ordinal| self.sound.is_set(ordinal))),
            Err(error) => self.outlive(error).map(|()| false),
        }
    }

    /// Tells whether everything but the tree of an entry can be read.
    fn is_whole(&self, entry: &Entry, read: &lbak_core::tree::ReadChunk<'_>) -> Result<bool> {
        let mut is_whole = self.are_attributes_right(entry, read)?;
        for_each_reference(entry, read, &mut |reference| {
            match reference {
                Ok(reference) if reference.kind == ChunkKind::Data => {
                    // Every one is asked: what is needed of which pack is remembered.
                    is_whole &= self.is_readable(&reference.id, reference.length)?;
                }
                // Trees and lists are judged by reading them.
                Ok(_) => {}
                Err(lost) => {
                    self.outlive(lost.error)?;
                    is_whole = false;
                }
            }
            Ok(())
        })?;
        Ok(is_whole)
    }

    /// Tells whether attributes that are stored apart are some, where data is read. Whether they can be read is asked of their chunks.
    fn are_attributes_right(&self, entry: &Entry, read: &lbak_core::tree::ReadChunk<'_>) -> Result<bool> {
        let Attributes::Stored(content) = &entry.attributes else { return Ok(true) };
        if !self.are_misfits_tried {
            return Ok(true);
        }
        match read_attributes(content, read) {
            Err(error) if !error.is_of_one_object() => Err(error),
            outcome => Ok(outcome.is_ok()),
        }
    }

    /// Tells whether some copy of a data chunk can be read.
    fn is_readable(&self, id: &ChunkId, length: Option<u64>) -> Result<bool> {
        let prefix = IdPrefix::from(id);
        let mut tried = Vec::new();
        let found = self.reader.index().find(id, ChunkKind::Data, &mut |location| {
            let is_there = if self.are_misfits_tried {
                self.packs.get(&location.pack.id).is_some()
            } else {
                self.packs.fault(&location.pack).is_none()
            };
            tried.push(location.pack.id);
            is_there
                && length.is_none_or(|length| length == u64::from(location.length))
                && !self.bad.contains(location, &prefix)
        });
        match found {
            Ok(Some(_)) => Ok(true),
            Ok(None) => {
                self.need(tried);
                Ok(false)
            }
            Err(error) => self.outlive(error).map(|()| false),
        }
    }
}

impl HurtSnapshot {
    fn add(&mut self, path: &[u8]) {
        self.path_count += 1;
        if self.paths.len() < NAMED_PATHS {
            self.paths.push(path.to_vec());
        }
    }
}

/// Names in the root tree are absolute paths.
pub(crate) fn append(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
