//! Merged copies of segments in a folder of this machine, so that opening and asking thousands of small segments costs what a few large ones do.
//!
//! ```text
//! FOLDER/list           which segments of the repository each group of copies stands for, behind a keyed hash
//! FOLDER/<blake3>       a merged segment, sealed like those of a repository
//! ```
//!
//! A cache (rule I5): a group is used only while every segment that it stands for is in a fresh listing of the repository and counts;
//! a copy that can not be read sends the question to those segments themselves. The folder may be removed at any time, also
//! while it is used. What is in it is sealed with the repository's keys.

mod files;
mod list;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, io, path::Path, sync::Arc};

pub(super) use self::files::Originals;
use self::{
    files::Files,
    list::{Copy, Covered, Group, LIST, List},
};
use super::{
    load::Counted,
    merge::{MergeOptions, merge},
    segment::Segment,
};
use crate::{
    backend::{Backend, Misread, ObjectName},
    cache::CacheFolder,
    codec::Codec,
    error::{Error, Result},
    id::SessionId,
};

/// Copies belong to no session.
const NO_SESSION: SessionId = SessionId([0; 16]);

/// When segments are merged into copies, and how large those may become.
#[derive(Clone, Copy, Debug)]
pub struct CopiesOptions {
    /// So many segments that no copy stands for are worth a merge.
    pub least_segments: usize,
    /// Most bytes of segments that one opening merges; with copies that are merged with them, four times as many.
    pub most_merged_bytes: u64,
    /// Most bytes of all copies: beyond, segments are asked one by one.
    pub most_bytes: u64,
    /// How a merge goes.
    pub merge: MergeOptions,
}

impl Default for CopiesOptions {
    fn default() -> Self {
        Self {
            least_segments: 64,
            // Some seconds of work, once.
            most_merged_bytes: 64 << 20,
            most_bytes: 1 << 30,
            merge: MergeOptions { segment_memory_bytes: 32 << 20 },
        }
    }
}

/// The folder of copies of one repository.
#[derive(Clone, Debug)]
pub struct Copies {
    folder: CacheFolder,
    options: CopiesOptions,
}

/// A group of copies that is used: its segments, each opened, and what they stand for.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) originals: Arc<Originals>,
    group: Group,
}

impl Used {
    pub(super) fn covers(&self) -> impl Iterator<Item = ObjectName> {
        self.group.covers.iter().map(Covered::name)
    }
}

impl Copies {
    /// Copies in the folder of a repository.
    #[must_use]
    pub fn new(folder: CacheFolder, options: CopiesOptions) -> Self {
        Self { folder, options }
    }

    /// The groups that stand for segments which are all there and count.
    pub(super) fn usable(
        &self,
        backend: &Arc<dyn Backend>,
        codec: &Codec,
        counted: &Counted,
        there: &BTreeSet<(ObjectName, u64)>,
        misread: &Misread,
    ) -> Vec<Used> {
        let list = List::read(&self.folder.file(LIST), codec).unwrap_or_default();
        let is_there = |covered: &Covered| {
            there.contains(&(covered.name(), covered.size)) && !counted.buried.contains(&covered.session)
        };
        let groups = list.groups.into_iter().filter(|group| group.covers.iter().all(is_there));
        groups.filter_map(|group| self.open(backend, codec, group, misread).ok()).collect()
    }

    /// Merges segments that no copy stands for when that is worth it, together with groups that are not much larger; `used` then
    /// holds the new group in their place, and `segments` what is left. Nothing changes where it fails.
    pub(super) fn extend(
        &self,
        backend: &Arc<dyn Backend>,
        codec: &Codec,
        used: &mut Vec<Used>,
        segments: &mut Vec<Arc<Segment>>,
        misread: &Misread,
    ) -> Result<()> {
        let chosen = self.choose(used, segments);
        if chosen.len() < self.options.least_segments {
            return Ok(());
        }
        let mut bytes: u64 = chosen.iter().map(|segment| size(segment)).sum();
        // Smallest groups first: with each at least four times as large as all before it, there are few of them.
        used.sort_by_key(|used| used.group.bytes());
        let absorbed = used
            .iter()
            .take_while(|used| {
                let is_near =
                    used.group.bytes() <= 4 * bytes && bytes + used.group.bytes() <= 4 * self.options.most_merged_bytes;
                bytes += used.group.bytes();
                is_near
            })
            .count();
        let sources: Vec<Arc<Segment>> =
            chosen.iter().chain(used.iter().take(absorbed).flat_map(|used| &used.segments)).map(Arc::clone).collect();
        let mut covers: Vec<Covered> = chosen.iter().map(|segment| Covered::of(segment)).collect();
        covers.extend(used.iter().take(absorbed).flat_map(|used| used.group.covers.iter().copied()));
        let group = Group { covers, copies: self.merge(codec, &sources)? };
        let new = self.open(backend, codec, group, misread)?;

        let groups = used.iter().skip(absorbed).chain([&new]).map(|used| used.group.clone()).collect();
        let list = List { groups };
        list.write(&self.folder, codec)?;
        self.sweep(&list);
        let chosen: BTreeSet<ObjectName> = chosen.iter().map(|segment| segment.name().clone()).collect();
        segments.retain(|segment| !chosen.contains(segment.name()));
        used.drain(..absorbed);
        used.push(new);
        Ok(())
    }

    /// The smallest segments, as many as may be merged at once and kept.
    fn choose(&self, used: &[Used], segments: &[Arc<Segment>]) -> Vec<Arc<Segment>> {
        let held: u64 = used.iter().map(|used| used.group.bytes()).sum();
        // Merged segments name packs that others name too, so that they may be twice as large.
        let most = self.options.most_merged_bytes.min(self.options.most_bytes.saturating_sub(held) / 2);
        let mut chosen: Vec<Arc<Segment>> = segments.iter().map(Arc::clone).collect();
        chosen.sort_by_key(|segment| size(segment));
        let mut bytes = 0;
        chosen.retain(|segment| {
            bytes += size(segment);
            bytes <= most
        });
        chosen
    }

    fn merge(&self, codec: &Codec, sources: &[Arc<Segment>]) -> Result<Vec<Copy>> {
        let mut copies = Vec::new();
        merge(sources, codec, NO_SESSION, &self.options.merge, &mut |name, sealed| {
            let ObjectName::MergedSegment(id) = *name else { return Ok(()) };
            let written = self.folder.replace(&list::copy_name(id), sealed.as_bytes());
            written.map_err(|error| failed("write", self.folder.path(), error))?;
            copies.push(Copy::new(id, sealed.as_bytes())?);
            Ok(())
        })?;
        Ok(copies)
    }

    fn open(&self, backend: &Arc<dyn Backend>, codec: &Codec, group: Group, misread: &Misread) -> Result<Used> {
        let files = Files::open(&self.folder, &group.copies)?;
        let files: Arc<dyn Backend> = Arc::new(files);
        let open = |copy: &Copy| -> Result<Arc<Segment>> {
            let segment = Segment::open(&files, codec, &ObjectName::MergedSegment(copy.segment), copy.size)?;
            // Every part of a segment is sealed under its header: another copy in its place is none of this group.
            if segment.random() != copy.random {
                return Err(Error::damaged(segment.name(), "another copy is in its place"));
            }
            Ok(Arc::new(segment.noting(misread)))
        };
        let segments = group.copies.iter().map(open).collect::<Result<_>>()?;
        let names = group.covers.iter().map(|covered| (covered.name(), covered.size)).collect();
        let list = self.folder.file(LIST);
        let originals = Originals::new(Arc::clone(backend), codec.clone(), names, list, misread.clone());
        Ok(Used { segments, originals: Arc::new(originals), group })
    }

    /// Removes copies that the list does not name. Whoever has one open reads on.
    fn sweep(&self, list: &List) {
        let copies = list.groups.iter().flat_map(|group| &group.copies);
        let kept: BTreeSet<String> = copies.map(|copy| list::copy_name(copy.segment)).collect();
        self.folder.remove_if(|name| list::is_copy_name(name) && !kept.contains(name));
    }
}

fn size(segment: &Segment) -> u64 {
    segment.summary().stored_length()
}

fn failed(action: &'static str, path: &Path, error: io::Error) -> Error {
    Error::store(action, path.display(), error.into())
}
