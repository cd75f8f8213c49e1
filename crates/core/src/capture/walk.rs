//! The walk: lists directories in the order of names, hands out what must be read and puts together what comes back.
//!
//! `listing.rs` decides about each name, `arrivals.rs` takes what comes back, `again.rs` looks once more at what has
//! changed its kind in between.

use std::{
    collections::{HashMap, VecDeque},
    os::unix::ffi::OsStringExt,
    sync::{
        Arc, Mutex,
        atomic::Ordering,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    time::Duration,
};

use super::{
    Attempt, Comparison, FileCounts,
    arrivals::LargeFile,
    batch::{Batch, Batcher, Job, Message},
    chunks::ChunkStore,
    compare::Ignored,
    context::Context,
    directories::{Beginning, Directories},
    findings::Findings,
    links::Links,
    listing::Visit,
    path::Path,
    reading,
    reuse::Reuse,
    working::{self, Desk},
};
use crate::{
    backend::Latency,
    error::{Error, Result},
    id::ChunkId,
    metadata::{FileKind, Metadata},
    observe::{Event, FindingKind, Progress},
    snapshot::Totals,
    source::{Source, SourceError, SourceErrorKind},
    store::{ChunkReader, ChunkWriter},
    tree::{Entry, Node},
};

/// Batches that wait for a reader.
const WAITING_BATCHES: usize = 2;

/// How soon a request to stop is heard while nothing comes: it is a flag that a signal sets, and wakes nobody.
const PATIENCE: Duration = Duration::from_millis(100);

/// Threads that read files.
const READERS: usize = 2;

/// Threads that read pages of the index to answer whether a chunk is known, at least: a page from the system's memory costs its opening,
/// and there are half as many such threads as workers; one that comes over a network is only waited for.
const ANSWERERS_NEAR: usize = 2;
const ANSWERERS_FAR: usize = 8;

/// What came of a walk.
pub(super) struct Walked {
    pub(super) root: ChunkId,
    pub(super) totals: Totals,
    pub(super) logical_bytes: u64,
    pub(super) files: FileCounts,
    /// What was met of the parent that is damaged or missing.
    pub(super) damage: Vec<String>,
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
    let mut context = Context::new(attempt.repository, writer, options, results);
    context.is_repeatable = comparison.reuse == Reuse::Unchanged;
    let reader = attempt.repository.reader(&attempt.session.view);
    let (batches, waiting) = mpsc::sync_channel(WAITING_BATCHES);
    let waiting = Mutex::new(waiting);
    let (asking, asked) = mpsc::channel();
    let asked = Mutex::new(asked);
    attempt.repository.workers().in_place_scope(|workers| {
        std::thread::scope(|threads| {
            let (context, waiting, asked) = (&context, &waiting, &asked);
            for number in 0..READERS {
                let desk = Desk::new(context, workers, asking.clone());
                std::thread::Builder::new()
                    .name(format!("lbak-reader-{number}"))
                    .spawn_scoped(threads, move || reading::run(context, &desk, waiting))
                    .map_err(|source| Error::System { what: "a reading thread", source })?;
            }
            for number in 0..answerers(attempt) {
                std::thread::Builder::new()
                    .name(format!("lbak-answer-{number}"))
                    .spawn_scoped(threads, move || working::answer(context, workers, asked))
                    .map_err(|source| Error::System { what: "a thread that asks the index", source })?;
            }
            // Readers and tasks have their own: when the last is done, nobody asks any more.
            drop(asking);
            let walk = Walk {
                attempt,
                context,
                parent: &reader,
                is_trusted: comparison.is_trusted,
                reuse: comparison.reuse,
                is_compared: comparison.base.root.is_some(),
                ignored: Ignored { ctime: options.ignore_ctime, inode: options.ignore_inode },
                wants_paths: options.observer.wants_paths(),
                findings,
                chunks: ChunkStore::new(context),
                directories: Directories::new(context.keys()),
                large: HashMap::new(),
                links: Links::default(),
                visits: Vec::new(),
                batcher: Batcher::default(),
                batches,
                arrived,
                set_aside: VecDeque::new(),
                devices: HashMap::new(),
                walked: Walked {
                    root: ChunkId([0; 32]),
                    totals: Totals::default(),
                    logical_bytes: 0,
                    files: FileCounts::default(),
                    damage: Vec::new(),
                },
                finished_files: 0,
                finished_bytes: 0,
            };
            let mut stop = StopUnlessDone { source: attempt.source, is_done: false };
            let outcome = walk.run(comparison.base.root);
            stop.is_done = outcome.is_ok();
            outcome
        })
    })
}

fn answerers(attempt: &Attempt<'_>) -> usize {
    let least = match attempt.repository.backend().describe().latency {
        Latency::Low => ANSWERERS_NEAR,
        Latency::High => ANSWERERS_FAR,
    };
    least.max(attempt.repository.workers().current_num_threads() / 2)
}

/// Stops the source when the walk ends early, by a panic, too: a reader may be waiting for somebody who sends nothing, and
/// would be waited for.
struct StopUnlessDone<'a> {
    source: &'a dyn Source,
    is_done: bool,
}

impl Drop for StopUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.source.stop();
        }
    }
}

pub(super) struct Walk<'a> {
    pub(super) attempt: &'a Attempt<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) parent: &'a ChunkReader,
    /// What the parent snapshot refers to may be referred to again without looking.
    pub(super) is_trusted: bool,
    pub(super) reuse: Reuse,
    /// There is a snapshot to compare with.
    pub(super) is_compared: bool,
    pub(super) ignored: Ignored,
    pub(super) wants_paths: bool,
    pub(super) findings: &'a mut Findings,
    pub(super) chunks: ChunkStore<'a>,
    pub(super) directories: Directories<'a>,
    pub(super) large: HashMap<(usize, usize), LargeFile>,
    pub(super) links: Links,
    /// Directories that are still to be listed, the next one last.
    pub(super) visits: Vec<Visit>,
    batcher: Batcher,
    batches: SyncSender<Batch>,
    arrived: Receiver<Message>,
    /// What came while the walk waited for a reader, and is still to be taken.
    set_aside: VecDeque<Message>,
    /// Devices in the order in which they were met: a number that is the same on every run, unlike the system's.
    devices: HashMap<u64, u64>,
    pub(super) walked: Walked,
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
        self.list(number, &top, &Path::default(), known_root)?;
        let root = loop {
            self.context.check()?;
            if let Some(visit) = self.visits.pop() {
                self.visit(visit)?;
                self.take_arrived()?;
                continue;
            }
            if let Some(root) = self.directories.root {
                break root;
            }
            // What comes back may show that there is more to read: a directory where a file was.
            self.send_batch(None)?;
            if let Some(message) = self.next_message()? {
                self.take(message)?;
            }
        };
        let mut store = |kind, chunk: Vec<u8>| self.chunks.store(kind, &chunk);
        self.findings.finish(&mut store)?;
        self.chunks.flush()?;
        self.tell_progress();
        self.walked.root = root;
        self.walked.files.read_bytes = self.context.read_bytes.load(Ordering::Relaxed);
        Ok(self.walked)
    }

    /// Takes all that has come back by now.
    pub(super) fn take_arrived(&mut self) -> Result<()> {
        while let Some(message) = self.set_aside.pop_front().or_else(|| self.arrived.try_recv().ok()) {
            self.take(message)?;
        }
        Ok(())
    }

    /// What has come back, in its order; waits a while until something does.
    fn next_message(&mut self) -> Result<Option<Message>> {
        match self.set_aside.pop_front() {
            Some(message) => Ok(Some(message)),
            None => self.next_arrival(),
        }
    }

    /// What comes next, within a while. That there is room for another batch, and failures, come as messages, too; a sender lives in the
    /// context.
    fn next_arrival(&self) -> Result<Option<Message>> {
        match self.arrived.recv_timeout(PATIENCE) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::Panicked { doing: "reading files" }),
        }
    }

    /// Puts a file into a batch, and sends one that is full.
    pub(super) fn batch(&mut self, job: Job) -> Result<()> {
        // What is opened once only is not tried as a small file first.
        let batch = if self.context.is_repeatable { self.batcher.add(job) } else { Some(Batch::Large(job)) };
        match batch {
            Some(batch) => self.send_batch(Some(batch)),
            None => Ok(()),
        }
    }

    /// Sends a batch, or what there is; waits while the readers are busy. Parts of large files are taken meanwhile: while the readers read
    /// such files there may be any number of them. Everything else is set aside, as it may need a batch sent itself.
    fn send_batch(&mut self, batch: Option<Batch>) -> Result<()> {
        let Some(mut batch) = batch.or_else(|| self.batcher.take()) else { return Ok(()) };
        loop {
            batch = match self.batches.try_send(batch) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(batch)) => batch,
                Err(TrySendError::Disconnected(_)) => return Err(Error::Panicked { doing: "reading files" }),
            };
            self.context.check()?;
            match self.next_arrival()? {
                Some(Message::Part { ticket, number, part }) => match self.take_part(ticket, number, part)? {
                    None => {}
                    Some(part) => self.set_aside.push_back(Message::Part { ticket, number, part }),
                },
                other => self.set_aside.extend(other),
            }
        }
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
        if kind == FindingKind::Vanished && self.attempt.roots.paths.binary_search(&path).is_ok() {
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
