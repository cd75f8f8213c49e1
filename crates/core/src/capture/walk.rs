//! The walk: lists directories in the order of names, merges them with the parent's trees, hands out what must be read
//! and puts together what comes back.

use std::{
    collections::HashMap,
    os::unix::ffi::OsStringExt,
    sync::{
        Arc, Mutex,
        atomic::Ordering,
        mpsc::{self, Receiver, SyncSender},
    },
};

use super::{
    Attempt, Comparison, FileCounts,
    arrivals::LargeFile,
    batch::{Batch, Batcher, Job, Message, Ticket, join},
    chunks::ChunkStore,
    compare::reason_to_read,
    context::Context,
    directories::{Beginning, Directories},
    findings::Findings,
    known::Known,
    reading,
};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    keys::Keys,
    metadata::{FileKind, Metadata},
    observe::{Event, FindingKind, Progress, ReadReason},
    snapshot::Totals,
    source::{Directory, Found, SourceError, SourceErrorKind},
    store::{ChunkReader, ChunkWriter},
    tree::{Entry, EntryFlags, NameRule, Node, TreeWriter, for_each_reference},
};

/// Batches that wait for a reader.
const WAITING_BATCHES: usize = 2;

/// Threads that read files.
const READERS: usize = 2;

/// What came of a walk.
pub(super) struct Walked {
    pub(super) root: ChunkId,
    pub(super) totals: Totals,
    pub(super) logical_bytes: u64,
    pub(super) files: FileCounts,
}

/// Walks the source with readers and workers beside it; returns when all it needs is with the writer.
pub(super) fn capture(
    attempt: &Attempt<'_>,
    comparison: &Comparison,
    writer: &ChunkWriter,
    findings: &mut Findings,
) -> Result<Walked> {
    let (results, arrived) = mpsc::channel();
    let options = attempt.options;
    let context = Context::new(attempt.repository, writer, options.compression, &options.cancellation, results);
    let reader = attempt.repository.reader(&attempt.session.view);
    let (batches, waiting) = mpsc::sync_channel(WAITING_BATCHES);
    let waiting = Mutex::new(waiting);
    attempt.repository.workers().in_place_scope(|workers| {
        std::thread::scope(|threads| {
            for number in 0..READERS {
                let (context, waiting) = (&context, &waiting);
                std::thread::Builder::new()
                    .name(format!("lbak-reader-{number}"))
                    .spawn_scoped(threads, move || reading::run(context, workers, waiting))
                    .map_err(|source| Error::System { what: "a reading thread", source })?;
            }
            let walk = Walk {
                attempt,
                context: &context,
                keys: context.keys(),
                parent: &reader,
                is_trusted: comparison.is_trusted,
                is_compared: comparison.base.root.is_some(),
                wants_paths: options.observer.wants_paths(),
                findings,
                chunks: ChunkStore::new(&context),
                directories: Directories::new(),
                large: HashMap::new(),
                visits: Vec::new(),
                batcher: Batcher::default(),
                batches: Some(batches),
                arrived,
                devices: HashMap::new(),
                walked: Walked {
                    root: ChunkId([0; 32]),
                    totals: Totals::default(),
                    logical_bytes: 0,
                    files: FileCounts::default(),
                },
                finished_files: 0,
                finished_bytes: 0,
            };
            walk.run(comparison.base.root)
        })
    })
}

/// A directory that is still to be listed.
struct Visit {
    ticket: Ticket,
    parent: Arc<dyn Directory>,
    found: Found,
    path: Arc<[u8]>,
    known: Option<Entry>,
}

/// The directory that is being listed.
struct Place<'a> {
    number: usize,
    directory: &'a Arc<dyn Directory>,
    path: &'a Arc<[u8]>,
}

pub(super) struct Walk<'a> {
    attempt: &'a Attempt<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) keys: &'a Keys,
    parent: &'a ChunkReader,
    is_trusted: bool,
    /// There is a snapshot to compare with.
    is_compared: bool,
    wants_paths: bool,
    findings: &'a mut Findings,
    pub(super) chunks: ChunkStore<'a>,
    pub(super) directories: Directories,
    pub(super) large: HashMap<(usize, usize), LargeFile>,
    visits: Vec<Visit>,
    batcher: Batcher,
    batches: Option<SyncSender<Batch>>,
    arrived: Receiver<Message>,
    /// Devices in the order in which they were met: a number that is the same on every run, unlike the system's.
    devices: HashMap<u64, u64>,
    walked: Walked,
    pub(super) finished_files: u64,
    pub(super) finished_bytes: u64,
}

impl Walk<'_> {
    fn run(mut self, known_root: Option<ChunkId>) -> Result<Walked> {
        let top = Arc::clone(&self.attempt.roots.directory);
        let number = self.directories.begin(Beginning {
            parent: None,
            entry: None,
            known: None,
            known_tree: known_root.filter(|_| self.is_trusted),
        });
        self.list(number, &top, &Arc::from([]), known_root)?;
        while let Some(visit) = self.visits.pop() {
            self.context.check()?;
            self.visit(visit)?;
            while let Ok(message) = self.arrived.try_recv() {
                self.take(message)?;
            }
        }
        self.send_batch(None)?;
        self.batches = None; // the readers end when they have read what is waiting
        while self.directories.root.is_none() {
            // A sender lives in the context, so this waits until something comes; failures come as messages too.
            match self.arrived.recv() {
                Ok(message) => self.take(message)?,
                Err(_) => return Err(Error::Panicked { doing: "reading files" }),
            }
            self.context.check()?;
        }
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        self.findings.finish(&mut store)?;
        self.chunks.flush()?;
        self.tell_progress();
        self.walked.root = self.directories.root.expect("waited for above");
        self.walked.files.read_bytes = self.context.read_bytes.load(Ordering::Relaxed);
        Ok(self.walked)
    }

    /// Opens and lists one directory.
    fn visit(&mut self, visit: Visit) -> Result<()> {
        let Visit { ticket, parent, found, path, known } = visit;
        let link_group = self.link_group(&found.metadata);
        let mut entry = Entry::new(found.name.clone(), Node::Directory { tree: ChunkId([0; 32]) }, &found.metadata);
        entry.link_group = link_group;
        let unchanged = known.as_ref().filter(|known| reason_to_read(known, &found.metadata, link_group).is_none());
        // Attributes that are stored apart are chunks like any others.
        let is_stored = unchanged.map(|known| self.is_all_stored(known)).transpose()?.unwrap_or(false);
        match unchanged.filter(|_| is_stored) {
            Some(known) => entry.attributes = known.attributes.clone(),
            None => {
                let attributes = parent.attributes(&found.name, found.metadata.kind);
                self.set_attributes(&mut entry, attributes, &path)?;
            }
        }
        self.walked.totals.directories += 1;
        let directory = match parent.directory(&found.name, &found.metadata) {
            Ok(directory) => directory,
            Err(error) => return self.unlisted(ticket, entry, &path, &error),
        };
        let known_tree = known.as_ref().and_then(|known| match known.node {
            Node::Directory { tree } if !known.flags.contains(EntryFlags::CONTENT_UNREAD) => Some(tree),
            _ => None,
        });
        let number = self.directories.begin(Beginning {
            parent: Some(ticket),
            entry: Some(entry),
            known,
            known_tree: known_tree.filter(|_| self.is_trusted),
        });
        self.list(number, &directory, &path, known_tree)
    }

    /// A directory that can not be opened stands empty, with a flag, unless it is gone.
    fn unlisted(&mut self, ticket: Ticket, mut entry: Entry, path: &[u8], error: &SourceError) -> Result<()> {
        let kind = finding_kind(error);
        self.note(kind, path.to_vec(), error)?;
        if kind == FindingKind::Vanished {
            self.walked.totals.directories -= 1;
            return self.directories.arrived(ticket, None, self.keys, &mut self.chunks);
        }
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        let tree = TreeWriter::new(self.keys, NameRule::Component).finish(&mut store)?;
        entry.node = Node::Directory { tree };
        entry.flags.insert(EntryFlags::CONTENT_UNREAD);
        self.directories.differs(ticket.directory);
        self.directories.arrived(ticket, Some(entry), self.keys, &mut self.chunks)
    }

    /// Goes through a directory and the parent snapshot's tree of it side by side.
    fn list(
        &mut self,
        number: usize,
        directory: &Arc<dyn Directory>,
        path: &Arc<[u8]>,
        known_tree: Option<ChunkId>,
    ) -> Result<()> {
        let listing = match directory.entries() {
            Ok(listing) => listing,
            Err(error) => {
                self.note(finding_kind(&error), path.to_vec(), &error)?;
                self.directories.unread(number);
                return self.directories.listed(number, self.keys, &mut self.chunks);
            }
        };
        let parent = self.parent;
        let read = move |kind: ChunkKind, id: &ChunkId| parent.read(kind, id);
        let rule = if path.is_empty() { NameRule::AbsolutePath } else { NameRule::Component };
        let mut known = Known::open(rule, known_tree, &read);
        let place = Place { number, directory, path };
        let first_visit = self.visits.len();
        for found in listing {
            let found = match found {
                Ok(found) => found,
                Err(unlisted) => {
                    self.directories.differs(number);
                    self.note(finding_kind(&unlisted.error), join(path, &unlisted.name), &unlisted.error)?;
                    continue;
                }
            };
            let known_entry = known.find(&found.name);
            let is_uncompared = !self.is_compared || known.trouble.is_some();
            self.take_found(&place, found, known_entry, is_uncompared)?;
        }
        known.finish();
        if known.is_passed_over || known_tree.is_none() {
            self.directories.differs(number);
        }
        if let Some(error) = known.trouble.take() {
            if !error.is_of_one_object() {
                return Err(error);
            }
            self.directories.differs(number);
            let path = if path.is_empty() { b"/".to_vec() } else { path.to_vec() };
            self.note(FindingKind::ParentUnread, path, &error)?;
        }
        // The last is taken first: reversed, directories come in the order of their names.
        self.visits[first_visit..].reverse();
        self.directories.listed(number, self.keys, &mut self.chunks)
    }

    /// Decides what to do about one name.
    fn take_found(&mut self, place: &Place<'_>, found: Found, known: Option<Entry>, is_uncompared: bool) -> Result<()> {
        let &Place { number, directory, path } = place;
        if known.is_none() {
            self.directories.differs(number);
        }
        if found.metadata.kind == FileKind::Directory {
            let ticket = self.directories.expect(number);
            let path = Arc::from(join(path, &found.name));
            self.visits.push(Visit { ticket, parent: Arc::clone(directory), found, path, known });
            return Ok(());
        }
        if found.metadata.kind == FileKind::Socket {
            self.directories.differs(number);
            return self.note(FindingKind::Skipped, join(path, &found.name), "sockets are not backed up");
        }
        let link_group = self.link_group(&found.metadata);
        let reason = match &known {
            None if is_uncompared => ReadReason::Uncompared,
            None => ReadReason::New,
            Some(known) => match reason_to_read(known, &found.metadata, link_group) {
                Some(reason) => reason,
                None if self.is_all_stored(known)? => {
                    self.take_over(number, known.clone());
                    return Ok(());
                }
                None => ReadReason::Untrusted,
            },
        };
        self.directories.differs(number);
        self.tell_read(path, &found, reason);
        if found.metadata.kind == FileKind::File {
            self.count_reason(reason);
            let ticket = self.directories.expect(number);
            let job = Job {
                ticket,
                parent: Arc::clone(directory),
                parent_path: Arc::clone(path),
                name: found.name,
                found: found.metadata,
            };
            return self.read(job);
        }
        self.take_small(place, found)
    }

    /// Uses an entry of the parent snapshot again.
    fn take_over(&mut self, number: usize, entry: Entry) {
        self.count(&entry);
        if entry.kind() == FileKind::File {
            self.walked.files.unchanged += 1;
            self.finished_files += 1;
            self.finished_bytes = self.finished_bytes.saturating_add(entry.size);
        }
        self.directories.add(number, entry);
    }

    fn count_reason(&mut self, reason: ReadReason) {
        let files = &mut self.walked.files;
        match reason {
            ReadReason::Uncompared | ReadReason::New => files.new += 1,
            ReadReason::Changed(_) => files.changed += 1,
            _ => files.unsettled += 1,
        }
    }

    fn tell_read(&self, path: &[u8], found: &Found, reason: ReadReason) {
        if self.wants_paths {
            let bytes = if found.metadata.kind == FileKind::File { found.metadata.size } else { 0 };
            self.attempt.options.observer.event(&Event::Read { path: &join(path, &found.name), bytes, reason });
        }
    }

    /// Links, pipes and devices: everything about them is in their entry.
    fn take_small(&mut self, place: &Place<'_>, found: Found) -> Result<()> {
        let &Place { number, directory, path } = place;
        let Found { name, metadata } = found;
        let (major, minor) = (metadata.major, metadata.minor);
        let node = match metadata.kind {
            FileKind::Symlink => match directory.link_target(&name) {
                Ok(target) => Node::Symlink { target },
                Err(error) => return self.note(finding_kind(&error), join(path, &name), &error),
            },
            FileKind::CharacterDevice => Node::CharacterDevice { major, minor },
            FileKind::BlockDevice => Node::BlockDevice { major, minor },
            _ => Node::Fifo,
        };
        let attributes = directory.attributes(&name, metadata.kind);
        let path = join(path, &name);
        let mut entry = Entry::new(name, node, &metadata);
        entry.link_group = self.link_group(&metadata);
        self.set_attributes(&mut entry, attributes, &path)?;
        self.count(&entry);
        self.directories.add(number, entry);
        Ok(())
    }

    /// Hands a file to the readers.
    fn read(&mut self, job: Job) -> Result<()> {
        match self.batcher.add(job) {
            Some(batch) => self.send_batch(Some(batch)),
            None => Ok(()),
        }
    }

    /// Sends a batch, or what there is; waits while the readers are busy.
    fn send_batch(&mut self, batch: Option<Batch>) -> Result<()> {
        let Some(batch) = batch.or_else(|| self.batcher.take()) else { return Ok(()) };
        let sent = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        if sent { Ok(()) } else { Err(Error::Panicked { doing: "reading files" }) }
    }

    /// Tells whether everything that an entry of the parent refers to may be referred to again.
    fn is_all_stored(&self, known: &Entry) -> Result<bool> {
        if self.is_trusted {
            return Ok(true);
        }
        let parent = self.parent;
        let read = move |kind: ChunkKind, id: &ChunkId| parent.read(kind, id);
        let mut is_all_stored = true;
        for_each_reference(known, &read, &mut |reference| {
            is_all_stored &= match reference {
                Ok(reference) => is_all_stored && self.context.writer.is_stored(reference.kind, &reference.id)?,
                Err(lost) if lost.error.is_of_one_object() => false,
                Err(lost) => return Err(lost.error),
            };
            Ok(())
        })?;
        Ok(is_all_stored)
    }

    pub(super) fn count(&mut self, entry: &Entry) {
        let totals = &mut self.walked.totals;
        match entry.node {
            Node::File { .. } => {
                totals.files += 1;
                // Sparse files may sum up to more than can be counted: then it stays at the largest number.
                self.walked.logical_bytes = self.walked.logical_bytes.saturating_add(entry.size);
            }
            Node::Directory { .. } => totals.directories += 1,
            Node::Symlink { .. } => totals.links += 1,
            _ => totals.others += 1,
        }
    }

    /// 0 for a file with one name; else a number for its device, which with its inode names the file.
    pub(super) fn link_group(&mut self, metadata: &Metadata) -> u64 {
        if metadata.kind == FileKind::Directory {
            return 0;
        }
        let next = self.devices.len() as u64 + 1;
        let device = *self.devices.entry(metadata.device).or_insert(next);
        if metadata.links > 1 { device } else { 0 }
    }

    pub(super) fn note(&mut self, kind: FindingKind, path: Vec<u8>, message: impl std::fmt::Display) -> Result<()> {
        // A named path that is gone is no detail of the snapshot, but all that was asked for.
        if kind == FindingKind::Vanished && self.attempt.roots.paths.contains(&path) {
            let path = std::path::PathBuf::from(std::ffi::OsString::from_vec(path));
            return Err(Error::Source { path, source: std::io::ErrorKind::NotFound.into() });
        }
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        self.findings.note(kind, path, message, &mut store)
    }

    pub(super) fn tell_progress(&self) {
        let stored = self.context.writer.stored();
        self.attempt.options.observer.event(&Event::Progress(Progress {
            files: self.finished_files,
            total_files: None,
            bytes: self.finished_bytes,
            total_bytes: None,
            new_bytes: stored.new_data_bytes,
            stored_bytes: stored.bytes,
        }));
    }
}

/// What a source's trouble is called when it is recorded.
pub(super) fn finding_kind(error: &SourceError) -> FindingKind {
    if error.kind == SourceErrorKind::Vanished { FindingKind::Vanished } else { FindingKind::Unreadable }
}
