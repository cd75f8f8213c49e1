//! Walks both sides together.

use std::{cmp::Ordering, sync::Arc};

use lbak_core::{
    browse::{Findings, open_tree},
    error::Result,
    id::ChunkId,
    metadata::FileKind,
    repository::Repository,
    snapshot::Extent,
    source::Directory,
    tree::{NameRule, Node, ReadChunk},
};

use super::{
    Change, ChangeCounts, ChangeKind, DiffOptions, DiffReport, Differing, MetadataField,
    compare::{self, Verdict},
    content::Contents,
    side::{self, Item, Placed, Thing, Things},
};

/// Both sides, and what was found of them.
pub(super) struct Walk<'a, 'f> {
    read: &'a ReadChunk<'a>,
    findings: &'a Findings,
    options: &'a DiffOptions,
    contents: Contents<'a>,
    found: &'f mut dyn FnMut(&Change<'_>) -> Result<()>,
    pub(super) differing: Differing,
    in_common: bool,
    path: Vec<u8>,
    /// How much there may be on each side.
    extents: (Extent, Extent),
    /// Trees may be deeper than the stack: the levels are kept in a list.
    levels: Vec<Level<'a>>,
}

/// A directory on both sides; on one of them it may be missing.
struct Level<'a> {
    before: Things<'a>,
    after: Things<'a>,
    path_length: usize,
}

/// What comes next.
enum Step {
    Before,
    After,
    Both,
}

impl<'a, 'f> Walk<'a, 'f> {
    pub(super) fn new(
        repository: &'a Repository,
        read: &'a ReadChunk<'a>,
        findings: &'a Findings,
        options: &'a DiffOptions,
        extents: (Extent, Extent),
        found: &'f mut dyn FnMut(&Change<'_>) -> Result<()>,
    ) -> Self {
        let (keys, cancellation) = (repository.codec().keys(), &options.cancellation);
        Self {
            read,
            findings,
            options,
            contents: Contents { keys, read, findings, cancellation },
            found,
            differing: Differing::default(),
            in_common: false,
            path: Vec::new(),
            extents,
            levels: Vec::new(),
        }
    }

    /// Compares the roots of two snapshots.
    pub(super) fn trees(&mut self, before: ChunkId, after: ChunkId) -> Result<()> {
        if before == after {
            self.in_common = true;
            return Ok(());
        }
        let (before, after) = (self.root_tree(before)?, self.root_tree(after)?);
        self.run(before.zip(after))
    }

    /// Compares the roots of a snapshot with those of a source.
    pub(super) fn roots(&mut self, before: ChunkId, after: Arc<dyn Directory>) -> Result<()> {
        let (before, after) = (self.root_tree(before)?, self.listed(after));
        self.run(before.zip(after))
    }

    /// Compares one thing with another.
    pub(super) fn pair(&mut self, before: Placed, after: Placed) -> Result<()> {
        if before.path == after.path {
            self.path = before.path;
        }
        self.extents.0.meet(&before.thing.entry)?;
        meet(&mut self.extents.1, &after.thing)?;
        self.met(before.thing, after.thing)?;
        self.run(None)
    }

    pub(super) fn finish(self) -> DiffReport {
        let lost = self.findings.lost();
        let (finding_counts, findings) = self.findings.take();
        DiffReport { differing: self.differing, in_common: self.in_common, finding_counts, findings, lost }
    }

    fn run(&mut self, top: Option<(Things<'a>, Things<'a>)>) -> Result<()> {
        self.levels.extend(top.map(|(before, after)| Level { before, after, path_length: 0 }));
        while let Some(mut level) = self.levels.pop() {
            self.options.cancellation.check()?;
            self.path.truncate(level.path_length);
            let Some(step) = self.next(&mut level)? else { continue };
            let before = if matches!(step, Step::After) { None } else { level.before.take() };
            let after = if matches!(step, Step::Before) { None } else { level.after.take() };
            for (extent, item) in [(&mut self.extents.0, &before), (&mut self.extents.1, &after)] {
                if let Some(Item::Thing(thing)) = item {
                    meet(extent, thing)?;
                }
            }
            let Some(name) = before.as_ref().or(after.as_ref()).map(|item| item.name().to_vec()) else { continue };
            let is_hidden = match step {
                Step::Before => level.after.may_hide(&name),
                Step::After => level.before.may_hide(&name),
                Step::Both => false,
            };
            self.levels.push(level);
            side::append(&mut self.path, &name);
            match (before, after) {
                _ if is_hidden => {}
                (Some(Item::Thing(before)), Some(Item::Thing(after))) => self.met(*before, *after)?,
                (Some(Item::Thing(before)), None) => self.removed(&before)?,
                (None, Some(Item::Thing(after))) => self.added(&after)?,
                // What can not be looked at was noted: it is neither new nor missing.
                _ => {}
            }
        }
        Ok(())
    }

    /// On which side the smaller name stands.
    fn next(&self, level: &mut Level<'a>) -> Result<Option<Step>> {
        let before = level.before.peek(self.findings, &self.path)?.map(Item::name);
        let after = level.after.peek(self.findings, &self.path)?.map(Item::name);
        Ok(match (before, after) {
            (None, None) => None,
            (Some(_), None) => Some(Step::Before),
            (None, Some(_)) => Some(Step::After),
            (Some(before), Some(after)) => Some(match before.cmp(after) {
                Ordering::Less => Step::Before,
                Ordering::Greater => Step::After,
                Ordering::Equal => Step::Both,
            }),
        })
    }

    fn removed(&mut self, before: &Thing) -> Result<()> {
        self.differing.removed.add(&before.entry);
        self.tell(ChangeKind::Removed, Some(before), None, &[], false)?;
        let opened = self.open(before)?;
        self.descend(opened, Some(Things::nothing()));
        Ok(())
    }

    fn added(&mut self, after: &Thing) -> Result<()> {
        self.differing.added.add(&after.entry);
        self.tell(ChangeKind::Added, None, Some(after), &[], false)?;
        let opened = self.open(after)?;
        self.descend(Some(Things::nothing()), opened);
        Ok(())
    }

    /// Compares what stands under one name on both sides.
    fn met(&mut self, before: Thing, after: Thing) -> Result<()> {
        self.in_common = true;
        if before.entry.kind() != after.entry.kind() {
            return self.turned(&before, &after);
        }
        let verdict = compare::content(&self.contents, self.options, &self.path, &before, &after)?;
        let fields = match self.options.metadata {
            true => compare::fields(&self.contents, &self.path, &before, &after)?,
            false => Vec::new(),
        };
        let is_silent = verdict == Verdict::Differs && compare::is_silent(&before.entry, &after.entry);
        let kind = match verdict {
            Verdict::Differs => Some(ChangeKind::Modified),
            Verdict::MayDiffer => Some(ChangeKind::MaybeModified),
            Verdict::Same | Verdict::Unknown => (!fields.is_empty()).then_some(ChangeKind::Metadata),
        };
        if let Some(kind) = kind {
            self.counts(kind).add(&after.entry);
            if kind == ChangeKind::Modified {
                self.count_pieces(&before, &after)?;
            }
            self.tell(kind, Some(&before), Some(&after), &fields, is_silent)?;
        }
        if before.entry.kind() == FileKind::Directory && !is_equal_tree(&before, &after) {
            let (before, after) = (self.open(&before)?, self.open(&after)?);
            self.descend(before, after);
        }
        Ok(())
    }

    /// A name that has become another kind of file: one of the two may be a directory.
    fn turned(&mut self, before: &Thing, after: &Thing) -> Result<()> {
        self.differing.removed.add(&before.entry);
        self.differing.added.add(&after.entry);
        self.tell(ChangeKind::Type, Some(before), Some(after), &[], false)?;
        if before.entry.kind() == FileKind::Directory {
            let opened = self.open(before)?;
            self.descend(opened, Some(Things::nothing()));
        }
        if after.entry.kind() == FileKind::Directory {
            let opened = self.open(after)?;
            self.descend(Some(Things::nothing()), opened);
        }
        Ok(())
    }

    fn counts(&mut self, kind: ChangeKind) -> &mut ChangeCounts {
        match kind {
            ChangeKind::Added => &mut self.differing.added,
            ChangeKind::Removed => &mut self.differing.removed,
            ChangeKind::MaybeModified => &mut self.differing.maybe_modified,
            ChangeKind::Metadata => &mut self.differing.metadata,
            ChangeKind::Modified | ChangeKind::Type => &mut self.differing.modified,
        }
    }

    /// Adds the pieces that a modified file has alone, where both versions are stored.
    fn count_pieces(&mut self, before: &Thing, after: &Thing) -> Result<()> {
        let (Some(new), Some(gone)) = (self.differing.new_bytes, self.differing.gone_bytes) else { return Ok(()) };
        let (only_before, only_after) = self.contents.apart(&self.path, &before.entry, &after.entry)?;
        self.differing.new_bytes = Some(new.saturating_add(only_after));
        self.differing.gone_bytes = Some(gone.saturating_add(only_before));
        Ok(())
    }

    fn tell(
        &mut self,
        kind: ChangeKind,
        before: Option<&Thing>,
        after: Option<&Thing>,
        fields: &[MetadataField],
        is_silent: bool,
    ) -> Result<()> {
        let path = if self.path.is_empty() { b"." } else { self.path.as_slice() };
        let (before, after) = (before.map(|thing| &thing.entry), after.map(|thing| &thing.entry));
        (self.found)(&Change { path, kind, before, after, fields, is_silent })
    }

    /// Opens a directory; `None` for anything else, and for one that can not be opened, which is noted.
    fn open(&self, thing: &Thing) -> Result<Option<Things<'a>>> {
        match (&thing.entry.node, &thing.place) {
            (Node::Directory { tree }, None) => {
                let entries = open_tree(NameRule::Component, *tree, self.read, self.findings, &self.path)?;
                Ok(entries.map(Things::stored))
            }
            (Node::Directory { .. }, Some(place)) => {
                let opened = place.directory.directory(&thing.entry.name, &place.metadata);
                Ok(match opened {
                    Ok(directory) => self.listed(directory),
                    Err(error) => {
                        side::note(self.findings, self.path.clone(), &error);
                        None
                    }
                })
            }
            _ => Ok(None),
        }
    }

    fn listed(&self, directory: Arc<dyn Directory>) -> Option<Things<'a>> {
        let listed = Things::found(directory);
        listed.map_err(|error| side::note(self.findings, self.path.clone(), &error)).ok()
    }

    fn root_tree(&self, tree: ChunkId) -> Result<Option<Things<'a>>> {
        let entries = open_tree(NameRule::AbsolutePath, tree, self.read, self.findings, b"")?;
        Ok(entries.map(Things::stored))
    }

    /// Goes on with a directory of which both sides are known.
    fn descend(&mut self, before: Option<Things<'a>>, after: Option<Things<'a>>) {
        let level = before.zip(after).map(|(before, after)| Level { before, after, path_length: self.path.len() });
        self.levels.extend(level);
    }
}

/// Counts what is stored.
fn meet(extent: &mut Extent, thing: &Thing) -> Result<()> {
    if thing.place.is_none() { extent.meet(&thing.entry) } else { Ok(()) }
}

fn is_equal_tree(before: &Thing, after: &Thing) -> bool {
    before.place.is_none() && after.place.is_none() && before.entry.node == after.entry.node
}
