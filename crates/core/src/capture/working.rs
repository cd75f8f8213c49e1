//! The work of the rayon pool: cut, id, known? → one block of what is new → seal → pack.

use std::{ops::Range, panic::AssertUnwindSafe};

use super::{
    batch::{FileRead, Job, Message, Part, Ticket},
    buffers::Buffer,
    context::{Bench, Context},
};
use crate::{
    error::{Error, Result},
    id::ChunkKind,
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

/// Works on a batch of small files; its share of the budget is given back at the end.
pub(super) fn work_on_files(context: &Context<'_>, buffer: &[u8], files: Vec<SmallFile>, share: Share) {
    guarded(context, || {
        context.with_bench(|bench| {
            let mut block = Block::new(context, bench, buffer);
            let mut pieces_of = Vec::with_capacity(files.len());
            for file in &files {
                let mut pieces = Vec::new();
                let mut start = file.range.start;
                for length in context.cutter.cut_all(&buffer[file.range.clone()]) {
                    pieces.push(block.add(start..start + length)?);
                    start += length;
                }
                pieces_of.push(pieces);
            }
            block.store()?;
            for (file, pieces) in files.into_iter().zip(pieces_of) {
                context.send(Message::File { job: file.job, outcome: Ok(file.file), pieces });
            }
            Ok(())
        })
    });
    drop(share);
}

/// Works on chunks of a large file that were cut already.
pub(super) fn work_on_part(
    context: &Context<'_>,
    ticket: Ticket,
    number: u64,
    buffer: &Buffer,
    chunks: &[Range<usize>],
) {
    guarded(context, || {
        context.with_bench(|bench| {
            let mut block = Block::new(context, bench, buffer);
            let pieces = chunks.iter().map(|range| block.add(range.clone())).collect::<Result<Vec<Piece>>>()?;
            block.store()?;
            context.send(Message::Part { ticket, number, part: Part::Pieces(pieces) });
            Ok(())
        })
    });
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
    buffer: &'a [u8],
    ranges: Vec<Range<usize>>,
    chunks: Vec<ChunkEntry>,
    bytes: usize,
}

impl<'a, 'b> Block<'a, 'b> {
    fn new(context: &'a Context<'a>, bench: &'b mut Bench, buffer: &'a [u8]) -> Self {
        Self { context, bench, buffer, ranges: Vec::new(), chunks: Vec::new(), bytes: 0 }
    }

    /// Takes a chunk on when nobody else has.
    fn add(&mut self, range: Range<usize>) -> Result<Piece> {
        let chunk = &self.buffer[range.clone()];
        let id = self.context.keys().chunk_id(ChunkKind::Data, chunk);
        if self.context.writer.claim(ChunkKind::Data, &id)? {
            if self.bytes > 0 && self.bytes + chunk.len() > BLOCK_BYTES {
                self.store()?;
            }
            let length = u32::try_from(chunk.len()).expect("a chunk is at most 8 MiB long");
            self.chunks.push(ChunkEntry { kind: ChunkKind::Data, length, id, base: None });
            self.bytes += chunk.len();
            // Chunks that lie together are encoded where they are.
            match self.ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.ranges.push(range.clone()),
            }
        }
        Ok(Piece { length: range.len() as u64, chunk: Some(id) })
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
