//! The threads that read files: small ones together into one buffer here, large ones in parts that end at cuts in `parts.rs`.
//!
//! A file is recorded as it was at one moment, if that can be had. Sizes and times are looked at before and after it is
//! read; when they differ it is tried again, and what was read last is recorded with a flag and a finding. More than the
//! size that it had at first is never recorded, so that of a file that others append to it is what was there then.

use std::{
    ops::Range,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc::Receiver},
};

use super::{
    batch::{Batch, FileRead, Job, Message},
    buffers::Buffer,
    compare::is_unsettled,
    context::Context,
    parts::read_large_file,
    working::{Desk, Of, SmallFile, Task},
};
use crate::{
    error::{Error, Result},
    metadata::{Metadata, Timestamp},
    observe::FindingKind,
    source::{Portion, SourceError, SourceFile},
    tree::EntryFlags,
};

/// How often a file that changes while it is read is tried.
pub(super) const ATTEMPTS: usize = 3;

/// Bytes that a small file may have grown by since it was listed; more, and it is read like a large one.
const GROWTH: usize = 64 << 10;

/// Share of the budget that a batch takes at least: what the buffers that are used again have grown to.
const SMALLEST_SHARE: usize = 2 << 20;

/// Reads batches until there are no more. After a failure they are dropped, so that nobody waits for this thread.
pub(super) fn run<'a>(context: &'a Context<'a>, desk: &Desk<'a, '_>, batches: &Mutex<Receiver<Batch>>) {
    loop {
        let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return };
        context.send(Message::ReaderIsFree);
        let work = || {
            context.check()?;
            match batch {
                Batch::Small(jobs) => read_small_files(context, desk, jobs),
                Batch::Large(job) => read_large_file(context, desk, job),
            }
        };
        // A source may be anybody's code: the walk would wait for ever for what a panic took with it.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(work));
        let outcome = outcome.unwrap_or(Err(Error::Panicked { doing: "reading files" }));
        if let Err(error) = outcome {
            context.fail(error);
        }
    }
}

/// Reads small files into one buffer and gives it to a worker.
fn read_small_files<'a>(context: &'a Context<'a>, desk: &Desk<'a, '_>, jobs: Vec<Job>) -> Result<()> {
    let expected: usize = jobs.iter().map(|job| usize::try_from(job.found.size).unwrap_or(usize::MAX)).sum();
    // At least a good part of a buffer's room, however small the files are: buffers are counted, not bytes.
    let share = context.writer.budget().take(expected.max(SMALLEST_SHARE))?;
    let mut buffer = context.buffers.small();
    buffer.set_aside(expected + GROWTH);
    let mut files = Vec::with_capacity(jobs.len());
    let mut grown = Vec::new();
    for job in jobs {
        match read_small_file(context, &job, &mut buffer) {
            Ok(Some((range, file))) => files.push(SmallFile { job, range, file }),
            Ok(None) => grown.push(job),
            Err(error) => context.send(Message::File { job, outcome: Err(error), pieces: Vec::new() }),
        }
    }
    context.count_read(buffer.len() as u64);
    let (buffer, share) = (Arc::new(buffer), Arc::new(share));
    desk.give(Task { of: Of::Files(files), chunks: Vec::new(), buffer, share });
    // Only now: who holds a share and waits for another waits for himself.
    grown.into_iter().try_for_each(|job| read_large_file(context, desk, job))
}

/// Appends a file to the buffer; tries again when it changes meanwhile. `None` when it has grown too large for that.
fn read_small_file(
    context: &Context<'_>,
    job: &Job,
    buffer: &mut Buffer,
) -> Result<Option<(Range<usize>, FileRead)>, SourceError> {
    let start = buffer.len();
    let mut tries = Tries::default();
    loop {
        buffer.truncate(start);
        let mut file = job.parent.file(&job.name, &job.found)?;
        let before = file.metadata()?;
        let now = context.now();
        // What it is now decides, not what it was when it was listed: a checkpoint may have been begun then.
        if before.size > job.found.size + GROWTH as u64 {
            return Ok(None);
        }
        if !read_to_end(&mut *file, buffer, &before)? {
            buffer.truncate(start);
            return Ok(None);
        }
        let seen = Seen { before, after: file.metadata()?, read_bytes: (buffer.len() - start) as u64, now };
        if let Some(has_changed) = tries.end(&seen, &*file) {
            if seen.before.size > 0 {
                let size = usize::try_from(seen.before.size).unwrap_or(usize::MAX);
                buffer.truncate(start.saturating_add(size));
            }
            return Ok(Some((start..buffer.len(), describe(&*file, seen, has_changed))));
        }
        context.note_again(job, seen.difference());
    }
}

/// Reads all of a file; false when it is much longer than it said, or has holes.
fn read_to_end(file: &mut dyn SourceFile, buffer: &mut Buffer, metadata: &Metadata) -> Result<bool, SourceError> {
    let start = buffer.len();
    let size = usize::try_from(metadata.size).unwrap_or(usize::MAX);
    let most = size.saturating_add(GROWTH);
    loop {
        // One byte more than expected, so that the end is seen without growing the buffer.
        let room = start.saturating_add(size).saturating_add(1).saturating_sub(buffer.len()).max(GROWTH / 16);
        match file.read(buffer.next(room)) {
            Ok(Portion::Data(length)) => buffer.add(length),
            Ok(Portion::End) => return Ok(true),
            Ok(Portion::Hole(_)) => return Ok(false),
            Err(error) => {
                buffer.truncate(start);
                return Err(error);
            }
        }
        if buffer.len() - start > most {
            return Ok(false);
        }
    }
}

/// What was seen of a file while it was read.
pub(super) struct Seen {
    pub(super) before: Metadata,
    pub(super) after: Metadata,
    pub(super) read_bytes: u64,
    /// When reading began.
    pub(super) now: Timestamp,
}

impl Seen {
    /// What shows that it changed while it was read, in words.
    pub(super) fn difference(&self) -> &'static str {
        let (before, after) = (&self.before, &self.after);
        match () {
            () if before.size != after.size => "its size changed meanwhile",
            () if before.mtime != after.mtime => "its mtime changed meanwhile",
            () if before.ctime != after.ctime => "its ctime changed meanwhile",
            () => "its length was not what it said",
        }
    }
}

/// How a file was found when it was read before.
#[derive(Default)]
pub(super) struct Tries {
    count: usize,
    length: Option<u64>,
}

impl Tries {
    /// Decides after a try: `None` to read the file again, else whether it has changed while it was read.
    pub(super) fn end(&mut self, seen: &Seen, file: &dyn SourceFile) -> Option<bool> {
        self.count += 1;
        let (before, after) = (&seen.before, &seen.after);
        let looks_same = (before.size, before.mtime, before.ctime) == (after.size, after.mtime, after.ctime);
        // Some say 0 and have content. Any other difference is a change that no time stamp told, unless it is there again.
        let is_whole = before.size == 0 || seen.read_bytes == before.size;
        let is_always_so = || self.length == Some(seen.read_bytes) && seen.read_bytes < before.size;
        if looks_same && (is_whole || is_always_so() || file.is_made_up()) {
            return Some(false);
        }
        self.length = looks_same.then_some(seen.read_bytes);
        (self.count == ATTEMPTS).then_some(true)
    }
}

/// What is recorded of a file besides its content.
pub(super) fn describe(file: &dyn SourceFile, seen: Seen, has_changed: bool) -> FileRead {
    let Seen { before, after, now, .. } = seen;
    let is_unsettled = is_unsettled(after.ctime, now, file.clock_lag_seconds());
    let mut read =
        FileRead { metadata: before, flags: EntryFlags::default(), attributes: Vec::new(), findings: Vec::new() };
    match file.attributes() {
        Ok(attributes) => read.attributes = attributes,
        Err(error) => {
            read.flags.insert(EntryFlags::METADATA_INCOMPLETE);
            read.findings.push((FindingKind::MetadataUnread, error.to_string()));
            read.attributes = error.read;
        }
    }
    if is_unsettled {
        read.flags.insert(EntryFlags::UNSETTLED);
    }
    if has_changed {
        read.flags.insert(EntryFlags::CHANGED);
        read.findings.push((FindingKind::Changed, "what was read last is stored".into()));
    }
    read
}
