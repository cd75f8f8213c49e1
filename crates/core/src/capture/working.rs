//! The work of the rayon pool: cut, id, known? → one block of what is new → seal → pack.
//!
//! Workers never wait for the store. Whether a chunk is known they answer from what is in memory; where a page of the index would have to
//! be read, the whole buffer goes to a thread that may wait, and comes back to a worker with the answers.
//!
//! ```text
//! worker: ids ─┬─ all are answered by memory ───────────────┬─ worker: blocks of what is new
//!              └─ thread that asks: reads pages of the index ┘
//! ```

use std::{
    ops::Range,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender},
    },
};

use super::{
    batch::{FileRead, Job, Message, Part, Ticket},
    buffers::Buffer,
    context::{Bench, Context},
};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    pack::ChunkEntry,
    store::Share,
    tree::Piece,
};

/// Plain bytes that a block of data aims at.
const BLOCK_BYTES: usize = 2 << 20;

/// A small file in a batch's buffer.
pub(super) struct SmallFile {
    pub(super) job: Job,
    pub(super) range: Range<usize>,
    pub(super) file: FileRead,
}

/// What the chunks of a task are of.
pub(super) enum Of {
    /// Small files that lie one behind the other in the buffer, and are not cut yet.
    Files(Vec<SmallFile>),
    /// A part of a large file, cut already.
    Part { ticket: Ticket, number: u64 },
}

/// Chunks of one buffer on their way; the share of the budget is given back with the buffer.
pub(super) struct Task {
    pub(super) of: Of,
    pub(super) chunks: Vec<Chunk>,
    pub(super) buffer: Arc<Buffer>,
    pub(super) share: Arc<Share>,
}

/// A chunk in the task's buffer.
pub(super) struct Chunk {
    range: Range<usize>,
    id: ChunkId,
    /// Whether this task has to store it, when that is known.
    is_claimed: Option<bool>,
}

impl Chunk {
    /// A chunk that was cut, and no more.
    pub(super) fn cut(range: Range<usize>) -> Self {
        Self { range, id: ChunkId([0; 32]), is_claimed: None }
    }

    fn piece(&self) -> Piece {
        Piece { length: self.range.len() as u64, chunk: Some(self.id) }
    }
}

/// Where readers bring their tasks: to the workers, and from them to those who ask.
pub(super) struct Desk<'a, 's> {
    context: &'a Context<'a>,
    workers: &'s rayon::Scope<'a>,
    asking: Sender<Task>,
}

impl Clone for Desk<'_, '_> {
    fn clone(&self) -> Self {
        Self { context: self.context, workers: self.workers, asking: self.asking.clone() }
    }
}

impl<'a, 's> Desk<'a, 's> {
    pub(super) fn new(context: &'a Context<'a>, workers: &'s rayon::Scope<'a>, asking: Sender<Task>) -> Self {
        Self { context, workers, asking }
    }

    /// Gives a task to a worker.
    pub(super) fn give(&self, task: Task) {
        let (context, asking) = (self.context, self.asking.clone());
        self.workers.spawn(move |_| work(context, task, &asking));
    }
}

/// Answers what workers can not answer without waiting, until none can come any more.
pub(super) fn answer<'a>(context: &'a Context<'a>, workers: &rayon::Scope<'a>, asked: &Mutex<Receiver<Task>>) {
    loop {
        let task = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut task) = task else { return };
        guarded(context, || {
            let mut open: Vec<_> = task.chunks.iter_mut().filter(|chunk| chunk.is_claimed.is_none()).collect();
            let ids: Vec<ChunkId> = open.iter().map(|chunk| chunk.id).collect();
            let claims = context.writer.claim_many(ChunkKind::Data, &ids)?;
            open.iter_mut().zip(claims).for_each(|(chunk, is_claimed)| chunk.is_claimed = Some(is_claimed));
            workers.spawn(move |_| guarded(context, || store(context, task)));
            Ok(())
        });
    }
}

/// Names the chunks of a task, and stores what is new unless it must be asked what is.
fn work(context: &Context<'_>, mut task: Task, asking: &Sender<Task>) {
    guarded(context, || {
        if let Of::Files(files) = &task.of {
            task.chunks = cut(context, &task.buffer, files);
        }
        let mut is_answered = true;
        for chunk in &mut task.chunks {
            chunk.id = context.keys().chunk_id(ChunkKind::Data, &task.buffer[chunk.range.clone()]);
            chunk.is_claimed = context.writer.claim_at_once(&chunk.id)?;
            is_answered &= chunk.is_claimed.is_some();
        }
        if is_answered {
            return store(context, task);
        }
        // Those who answer stay as long as there is somebody who asks.
        asking.send(task).map_err(|_| Error::Panicked { doing: "asking the index" })
    });
}

fn cut(context: &Context<'_>, buffer: &[u8], files: &[SmallFile]) -> Vec<Chunk> {
    let mut chunks = Vec::with_capacity(files.len());
    for file in files {
        let mut start = file.range.start;
        for length in context.cutter.cut_all(&buffer[file.range.clone()]) {
            chunks.push(Chunk::cut(start..start + length));
            start += length;
        }
    }
    chunks
}

/// Stores what is claimed, and tells the walk which chunks its files have.
fn store(context: &Context<'_>, task: Task) -> Result<()> {
    let Task { of, chunks, buffer, share } = task;
    context.with_bench(|bench| {
        let mut block = Block::new(context, bench, &buffer);
        chunks.iter().filter(|chunk| chunk.is_claimed == Some(true)).try_for_each(|chunk| block.add(chunk))?;
        block.store()
    })?;
    match of {
        Of::Part { ticket, number } => {
            let pieces = chunks.iter().map(Chunk::piece).collect();
            context.send(Message::Part { ticket, number, part: Part::Pieces(pieces) });
        }
        Of::Files(files) => {
            let mut rest = &chunks[..];
            for SmallFile { job, range, file } in files {
                let count = rest.iter().take_while(|chunk| chunk.range.end <= range.end).count();
                let (own, others) = rest.split_at(count);
                rest = others;
                let pieces = own.iter().map(Chunk::piece).collect();
                context.send(Message::File { job, outcome: Ok(file), pieces });
            }
        }
    }
    drop((buffer, share));
    Ok(())
}

/// Turns an error into the run's failure, and a panic into an error: a task that ends without a word would be waited for.
fn guarded(context: &Context<'_>, work: impl FnOnce() -> Result<()>) {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(work));
    let outcome = outcome.unwrap_or(Err(Error::Panicked { doing: "storing chunks" }));
    if let Err(error) = outcome {
        context.fail(error);
    }
}

/// The new chunks of one buffer, on their way into blocks.
struct Block<'a, 'b> {
    context: &'a Context<'a>,
    bench: &'b mut Bench,
    buffer: &'b [u8],
    ranges: Vec<Range<usize>>,
    chunks: Vec<ChunkEntry>,
    bytes: usize,
}

impl<'a, 'b> Block<'a, 'b> {
    fn new(context: &'a Context<'a>, bench: &'b mut Bench, buffer: &'b [u8]) -> Self {
        Self { context, bench, buffer, ranges: Vec::new(), chunks: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, chunk: &Chunk) -> Result<()> {
        let Chunk { range, id, .. } = chunk;
        if self.bytes > 0 && self.bytes + range.len() > BLOCK_BYTES {
            self.store()?;
        }
        let length = u32::try_from(range.len()).expect("a chunk is at most 8 MiB long");
        self.chunks.push(ChunkEntry { kind: ChunkKind::Data, length, id: *id, base: None });
        self.bytes += range.len();
        // Chunks that lie together are encoded where they are.
        match self.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.ranges.push(range.clone()),
        }
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let chunks = std::mem::take(&mut self.chunks);
        let ranges = std::mem::take(&mut self.ranges);
        self.bytes = 0;
        let plain = match &ranges[..] {
            [] => return Ok(()),
            [range] => &self.buffer[range.clone()],
            ranges => {
                self.bench.plain.clear();
                self.bench.plain.reserve_exact(ranges.iter().map(ExactSizeIterator::len).sum());
                ranges.iter().for_each(|range| self.bench.plain.extend_from_slice(&self.buffer[range.clone()]));
                &self.bench.plain[..]
            }
        };
        self.context.writer.store_block(&mut self.bench.encoder, plain, chunks, &mut self.bench.scratch)
    }
}
