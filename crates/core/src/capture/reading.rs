//! The threads that read files: small ones together into one buffer, large ones in parts that end at cuts.

use std::{
    ops::Range,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc::Receiver},
};

use super::{
    batch::{Batch, FileOutcome, FileRead, Job, Message, Ticket},
    buffers::Buffer,
    compare::is_unsettled,
    context::Context,
    walk::finding_kind,
    working::{SmallFile, work_on_files, work_on_part},
};
use crate::{
    error::{Error, Result},
    metadata::Metadata,
    observe::FindingKind,
    source::{Portion, SourceError, SourceFile},
    store::Share,
    tree::{EntryFlags, Piece},
};

/// How often a small file that changes while it is read is tried.
const ATTEMPTS: u32 = 3;

/// Bytes that a small file may have grown by since it was listed; more, and it is read like a large one.
const GROWTH: usize = 64 << 10;

/// Share of the budget that a batch takes at least.
const SMALLEST_SHARE: usize = 1 << 20;

/// Bytes of a large file that are asked for at once.
const READ_BYTES: usize = 1 << 20;

/// Plain bytes that one worker takes of a large file.
const PART_BYTES: usize = 2 << 20;

/// Reads batches until there are no more. After a failure they are dropped, so that nobody waits for this thread.
pub(super) fn run<'a>(context: &'a Context<'a>, workers: &rayon::Scope<'a>, batches: &Mutex<Receiver<Batch>>) {
    loop {
        let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return };
        let work = || {
            context.check()?;
            match batch {
                Batch::Small(jobs) => read_small_files(context, workers, jobs),
                Batch::Large(job) => read_large_file(context, workers, &job),
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
fn read_small_files<'a>(context: &'a Context<'a>, workers: &rayon::Scope<'a>, jobs: Vec<Job>) -> Result<()> {
    let expected: usize = jobs.iter().map(|job| usize::try_from(job.found.size).unwrap_or(usize::MAX)).sum();
    // At least a good part of a buffer's room, however small the files are: buffers are counted, not bytes.
    let share = context.writer.budget().take(expected.max(SMALLEST_SHARE))?;
    let mut buffer = context.buffers.small();
    buffer.reserve_exact(expected + GROWTH);
    let mut files = Vec::with_capacity(jobs.len());
    let mut grown = Vec::new();
    for job in jobs {
        match read_small_file(context, &job, &mut buffer) {
            Ok(Some((range, file))) => {
                files.push(SmallFile { ticket: job.ticket, path: job.path(), name: job.name, range, file });
            }
            Ok(None) => grown.push(job),
            Err(error) => {
                let outcome = lost(&job, &error);
                context.send(Message::File { ticket: job.ticket, outcome, pieces: Vec::new() });
            }
        }
    }
    context.count_read(buffer.len() as u64);
    workers.spawn(move |_| work_on_files(context, &buffer, files, share));
    // Only now: who holds a share and waits for another waits for himself.
    grown.iter().try_for_each(|job| read_large_file(context, workers, job))
}

fn lost(job: &Job, error: &SourceError) -> FileOutcome {
    FileOutcome::Lost { path: job.path(), kind: finding_kind(error), message: error.to_string() }
}

/// Appends a file to the buffer; tries again when it changes meanwhile. `None` when it has grown too large for that.
fn read_small_file(
    context: &Context<'_>,
    job: &Job,
    buffer: &mut Buffer,
) -> Result<Option<(Range<usize>, FileRead)>, SourceError> {
    let start = buffer.len();
    let mut attempt = 1;
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
        let after = file.metadata()?;
        let read = (buffer.len() - start) as u64;
        let is_stable = is_same(&before, &after) && (read == before.size || before.size == 0);
        if is_stable || attempt == ATTEMPTS {
            let file = describe(&*file, before, is_unsettled(after.ctime, now, file.clock_lag_seconds()), !is_stable);
            return Ok(Some((start..buffer.len(), file)));
        }
        attempt += 1;
    }
}

/// Reads all of a file; false when it is much longer than it said, or has holes.
fn read_to_end(file: &mut dyn SourceFile, buffer: &mut Buffer, metadata: &Metadata) -> Result<bool, SourceError> {
    let start = buffer.len();
    let size = usize::try_from(metadata.size).unwrap_or(usize::MAX);
    let most = size.saturating_add(GROWTH);
    loop {
        let filled = buffer.len();
        // One byte more than expected, so that the end is seen without growing the buffer.
        let room = size.saturating_add(1).saturating_sub(filled - start).max(GROWTH / 16);
        buffer.resize(filled + room, 0);
        let portion = file.read(&mut buffer[filled..]);
        match portion {
            Ok(Portion::Data(length)) => buffer.truncate(filled + length),
            Ok(Portion::End) => {
                buffer.truncate(filled);
                return Ok(true);
            }
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

/// Tells whether a file looks as it did before it was read.
fn is_same(before: &Metadata, after: &Metadata) -> bool {
    (before.size, before.mtime, before.ctime) == (after.size, after.mtime, after.ctime)
}

/// What is recorded of a file besides its content.
fn describe(file: &dyn SourceFile, metadata: Metadata, is_unsettled: bool, has_changed: bool) -> FileRead {
    let mut read = FileRead { metadata, flags: EntryFlags::default(), attributes: Vec::new(), findings: Vec::new() };
    match file.attributes() {
        Ok(attributes) => read.attributes = attributes,
        Err(error) => {
            read.flags.insert(EntryFlags::METADATA_INCOMPLETE);
            read.findings.push((FindingKind::MetadataUnread, error.to_string()));
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

/// Reads a large file in parts and gives each to workers as it comes.
fn read_large_file<'a>(context: &'a Context<'a>, workers: &rayon::Scope<'a>, job: &Job) -> Result<()> {
    let mut parts = Parts { context, workers, ticket: job.ticket, number: 0, carried: None };
    let outcome = match job.parent.file(&job.name, &job.found) {
        Ok(mut file) => parts.read(&mut *file)?,
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Ok(file) => FileOutcome::Read { path: job.path(), name: job.name.clone(), file },
        Err(error) => lost(job, &error),
    };
    context.send(Message::End { ticket: job.ticket, parts: parts.number, outcome });
    Ok(())
}

/// What ends a part.
enum End {
    /// The buffer is full.
    Full,
    /// A hole of so many bytes follows.
    Hole(u64),
    /// Nothing follows.
    File,
}

struct Parts<'a, 's> {
    context: &'a Context<'a>,
    workers: &'s rayon::Scope<'a>,
    ticket: Ticket,
    number: u64,
    /// Bytes behind the last cut, at most the largest chunk.
    carried: Option<Buffer>,
}

impl Parts<'_, '_> {
    /// Reads the whole file. The inner result is the source's, the outer one the repository's.
    fn read(&mut self, file: &mut dyn SourceFile) -> Result<Result<FileRead, SourceError>> {
        let now = self.context.now();
        let before = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let mut read_bytes = 0_u64;
        loop {
            self.context.check()?;
            let length = 2 * self.context.cutter.sizes().maximum as usize;
            let share = self.context.writer.budget().take(length)?;
            let carried = self.carried.as_ref().map_or(0, |carried| carried.len());
            let end = match self.fill(file, length) {
                Ok(filled) => filled,
                Err(error) => return Ok(Err(error)),
            };
            let (buffer, end) = end;
            read_bytes += (buffer.len() - carried) as u64;
            self.cut(buffer, !matches!(end, End::Full), share);
            match end {
                End::Full => {}
                End::Hole(length) => {
                    read_bytes = read_bytes.saturating_add(length);
                    let pieces = vec![Piece { length, chunk: None }];
                    self.context.send(Message::Part { ticket: self.ticket, number: self.number, pieces });
                    self.number += 1;
                }
                End::File => break,
            }
        }
        let after = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        // Pseudo files say 0 and have content; any other difference is a change that no time stamp told.
        let is_whole = read_bytes == before.size || before.size == 0;
        let has_changed = !is_same(&before, &after) || !is_whole;
        Ok(Ok(describe(file, before, is_unsettled(after.ctime, now, file.clock_lag_seconds()), has_changed)))
    }

    /// Reads on from what was carried over, up to `length` bytes in all.
    fn fill(&mut self, file: &mut dyn SourceFile, length: usize) -> Result<(Buffer, End), SourceError> {
        let mut buffer = self.carried.take().unwrap_or_else(|| self.context.buffers.large());
        let room = length - buffer.len();
        buffer.reserve_exact(room);
        let mut filled = buffer.len();
        let end = loop {
            if filled == length {
                break End::Full;
            }
            // In steps: most large files are much smaller than the buffer may be.
            buffer.grow((filled + READ_BYTES).min(length));
            match file.read(&mut buffer[filled..])? {
                Portion::Data(read) => {
                    self.context.count_read(read as u64);
                    filled += read;
                }
                Portion::Hole(length) => break End::Hole(length),
                Portion::End => break End::File,
            }
        };
        buffer.truncate(filled);
        Ok((buffer, end))
    }

    /// Cuts a buffer and spreads its chunks over workers; what is behind the last cut is carried over.
    fn cut(&mut self, mut buffer: Buffer, is_end: bool, share: Share) {
        let mut chunks: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while let Some(length) = self.context.cutter.cut(&buffer[start..], is_end) {
            chunks.push(start..start + length);
            start += length;
        }
        if start < buffer.len() {
            let mut carried = self.context.buffers.large();
            carried.extend_from_slice(&buffer[start..]);
            self.carried = Some(carried);
            buffer.truncate(start);
        }
        let (buffer, share) = (Arc::new(buffer), Arc::new(share));
        let mut rest = &chunks[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest.iter().take_while(|range| {
                let fits = bytes == 0 || bytes + range.len() <= PART_BYTES;
                bytes += range.len();
                fits
            });
            let (part, others) = rest.split_at(count.count());
            rest = others;
            let (context, ticket, number) = (self.context, self.ticket, self.number);
            self.number += 1;
            let (part, buffer, share) = (part.to_vec(), Arc::clone(&buffer), Arc::clone(&share));
            self.workers.spawn(move |_| {
                work_on_part(context, ticket, number, &buffer, &part);
                drop((buffer, share));
            });
        }
    }
}
