//! Files with several names are read once: what was read under the first name stands for the others.
//!
//! A name waits while the first is read, and takes its content when nothing is seen to have changed in between. What is
//! kept is bounded: a name that comes too late is read again, which costs time and no room in the repository.

use std::collections::{HashMap, VecDeque};

use super::batch::Job;
use crate::{
    metadata::{FileKind, Metadata, Timestamp},
    tree::{Attributes, Entry, EntryFlags, Node},
};

/// Bytes of entries that are kept for names that may come.
const KEPT_BYTES: usize = 8 << 20;

/// Device and inode.
type Key = (u64, u64);

/// The files with several names that were met.
#[derive(Default)]
pub(super) struct Links {
    files: HashMap<Key, Linked>,
    /// Those that were read, the oldest first; some may be gone.
    read: VecDeque<Key>,
    kept_bytes: usize,
}

enum Linked {
    /// Under its first name; these wait for it.
    Reading(Vec<Job>),
    /// So it was.
    Read(Box<Known>),
}

struct Known {
    entry: Entry,
    stamp: Stamp,
    /// Names that were not met yet; some may lie outside the source.
    missing: u64,
}

/// What tells that a file was not changed between two looks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    mtime: Timestamp,
    ctime: Timestamp,
    links: u64,
}

/// What to do about a name.
pub(super) enum Name {
    /// Read it.
    Read(Job),
    /// It waits for another name.
    Waits,
    /// It has this entry.
    Is(Job, Box<Entry>),
}

impl Links {
    /// Takes a name of a file that is to be read.
    pub(super) fn take(&mut self, job: Job) -> Name {
        let Some(key) = key(&job.found) else { return Name::Read(job) };
        match self.files.get_mut(&key) {
            None => {
                self.files.insert(key, Linked::Reading(Vec::new()));
                Name::Read(job)
            }
            Some(Linked::Reading(waiting)) => {
                waiting.push(job);
                Name::Waits
            }
            Some(Linked::Read(known)) if known.stamp == Stamp::of(&job.found) => {
                known.missing = known.missing.saturating_sub(1);
                let entry = Entry { name: job.name.clone(), ..known.entry.clone() };
                if known.missing == 0 {
                    self.forget(key);
                }
                Name::Is(job, Box::new(entry))
            }
            Some(Linked::Read(_)) => {
                self.forget(key);
                self.files.insert(key, Linked::Reading(Vec::new()));
                Name::Read(job)
            }
        }
    }

    /// Takes what became of a name that was read, and returns those that waited for it: to be taken again.
    ///
    /// `read` is the entry and the metadata that belong together; none when nothing can be taken from it.
    pub(super) fn finish(&mut self, found: &Metadata, read: Option<(&Entry, &Metadata)>) -> Vec<Job> {
        let Some(key) = key(found) else { return Vec::new() };
        // Only who was told to read ends the waiting.
        let Some(Linked::Reading(waiting)) = self.files.remove(&key) else { return Vec::new() };
        let Some((entry, metadata)) = read else { return waiting };
        // A file that another one was renamed over is not the one that the others are names of.
        let is_useful = self::key(metadata) == Some(key) && !entry.flags.contains(EntryFlags::CHANGED);
        if is_useful && metadata.links > 1 {
            let entry = Entry { name: Vec::new(), ..entry.clone() };
            self.kept_bytes += kept_bytes(&entry);
            let known = Known { entry, stamp: Stamp::of(metadata), missing: metadata.links - 1 };
            self.files.insert(key, Linked::Read(Box::new(known)));
            self.read.push_back(key);
            self.make_room();
        }
        waiting
    }

    fn make_room(&mut self) {
        // Forgotten ones stay in the queue until it is much longer than the map.
        if self.read.len() > 2 * self.files.len() + 1024 {
            let files = &self.files;
            self.read.retain(|key| matches!(files.get(key), Some(Linked::Read(_))));
        }
        while self.kept_bytes > KEPT_BYTES {
            let Some(oldest) = self.read.pop_front() else { return };
            if matches!(self.files.get(&oldest), Some(Linked::Read(_))) {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(Linked::Read(known)) = self.files.remove(&key) {
            self.kept_bytes -= kept_bytes(&known.entry);
        }
    }
}

/// The file that this is one of several names of.
fn key(metadata: &Metadata) -> Option<Key> {
    let has_other_names = metadata.kind == FileKind::File && metadata.links > 1 && metadata.inode != 0;
    has_other_names.then_some((metadata.device, metadata.inode))
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let Metadata { size, mtime, ctime, links, .. } = *metadata;
        Self { size, mtime, ctime, links }
    }
}

/// About what an entry takes, with its place in map and queue.
fn kept_bytes(entry: &Entry) -> usize {
    let pieces = match &entry.node {
        Node::File { content } => usize::try_from(content.pieces()).unwrap_or(0).min(crate::tree::INLINE_PIECES),
        _ => 0,
    };
    let attributes = match &entry.attributes {
        Attributes::Inline(pairs) => pairs.iter().map(|(name, value)| name.len() + value.len() + 48).sum(),
        _ => 0,
    };
    512 + 48 * pieces + attributes
}
