//! Large files, read in parts that end at cuts and given to workers as they come.

use std::{ops::Range, sync::Arc};

use super::{
    batch::{Job, Message, Part, Ticket},
    buffers::Buffer,
    context::Context,
    reading::{Seen, Tries, describe},
    working::{Chunk, Desk, Of, Task},
};
use crate::{
    error::Result,
    metadata::Metadata,
    source::{Portion, SourceError, SourceErrorKind, SourceFile},
    store::Share,
    tree::Piece,
};

/// Bytes of a large file that are asked for at once.
const READ_BYTES: usize = 1 << 20;

/// Plain bytes that one worker takes of a large file.
const PART_BYTES: usize = 2 << 20;

/// Bytes of one file that may be read in vain: one that takes minutes to read seldom meets a quiet moment, and would be
/// read three times each night.
const AGAIN_BYTES: u64 = 16 << 30;

/// Bytes that are believed of a file that says that it is empty, or that the system makes up: some of them never end.
const UNTOLD_BYTES: u64 = 64 << 20;

/// Reads a large file in parts and gives each to workers as it comes.
pub(super) fn read_large_file<'a>(context: &'a Context<'a>, desk: &Desk<'a, '_>, job: Job) -> Result<()> {
    let mut parts = Parts { context, desk, ticket: job.ticket, number: 0, carried: None };
    let (mut tries, mut read_bytes) = (Tries::default(), 0_u64);
    let outcome = loop {
        let tried = match job.parent.file(&job.name, &job.found) {
            Ok(mut file) => parts.read(&mut *file)?.map(|seen| (file, seen)),
            Err(error) => Err(error),
        };
        let (file, seen) = match tried {
            Ok(tried) => tried,
            Err(error) => break Err(error),
        };
        read_bytes = read_bytes.saturating_add(seen.read_bytes);
        match tries.end(&seen, &*file) {
            Some(has_changed) => break Ok(describe(&*file, seen, has_changed)),
            None if read_bytes > AGAIN_BYTES || !context.is_repeatable => break Ok(describe(&*file, seen, true)),
            None => {
                context.note_again(&job, seen.difference());
                parts.begin_again();
            }
        }
    };
    let parts = parts.number;
    context.send(Message::End { job, parts, outcome });
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

/// The front of a file, up to a limit.
struct Front<'f> {
    file: &'f mut dyn SourceFile,
    read_bytes: u64,
    limit: u64,
}

impl Front<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        let left = self.limit - self.read_bytes;
        if left == 0 {
            return Ok(Portion::End);
        }
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let portion = match self.file.read(&mut buffer[..room])? {
            Portion::Hole(length) => Portion::Hole(length.min(left)),
            portion => portion,
        };
        match portion {
            Portion::Data(length) => self.read_bytes += length as u64,
            Portion::Hole(length) => self.read_bytes += length,
            Portion::End => {}
        }
        Ok(portion)
    }
}

struct Parts<'r, 'a, 's> {
    context: &'a Context<'a>,
    desk: &'r Desk<'a, 's>,
    ticket: Ticket,
    number: u64,
    /// Bytes behind the last cut, at most the largest chunk.
    carried: Option<Buffer>,
}

impl Parts<'_, '_, '_> {
    /// What was read until now counts no more; its chunks are stored, and known when they are met again.
    fn begin_again(&mut self) {
        self.carried = None;
        self.send(Part::Again);
    }

    fn send(&mut self, part: Part) {
        self.context.send(Message::Part { ticket: self.ticket, number: self.number, part });
        self.number += 1;
    }

    /// Reads the file up to the length that it has now. The inner result is the source's, the outer one the repository's.
    fn read(&mut self, file: &mut dyn SourceFile) -> Result<Result<Seen, SourceError>> {
        let now = self.context.now();
        let before = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let takes_no_room = before.size > UNTOLD_BYTES && before.allocated == 0;
        if takes_no_room && file.is_made_up() {
            return Ok(Err(endless(&before)));
        }
        // One more than is believed, to see that there is more.
        let limit = match before.size {
            _ if !self.context.is_repeatable => u64::MAX,
            0 => UNTOLD_BYTES + 1,
            size => size,
        };
        let mut front = Front { file, read_bytes: 0, limit };
        loop {
            self.context.check()?;
            // Room for the largest chunk, and for as much again as is mostly carried over.
            let maximum = self.context.cutter.sizes().maximum as usize;
            let length = maximum + maximum / 2;
            let share = self.context.writer.budget().take(length)?;
            let (buffer, end) = match self.fill(&mut front, length) {
                Ok(filled) => filled,
                Err(error) => return Ok(Err(error)),
            };
            self.cut(buffer, !matches!(end, End::Full), share);
            match end {
                End::Full => {}
                End::Hole(length) => self.send(Part::Pieces(vec![Piece { length, chunk: None }])),
                End::File => break,
            }
        }
        let read_bytes = front.read_bytes;
        let after = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let says_nothing = self.context.is_repeatable && before.size == 0 && after.size == 0;
        if says_nothing && read_bytes > UNTOLD_BYTES {
            return Ok(Err(endless(&before)));
        }
        Ok(Ok(Seen { before, after, read_bytes, now }))
    }

    /// Reads on from what was carried over, up to `length` bytes in all.
    fn fill(&mut self, front: &mut Front<'_>, length: usize) -> Result<(Buffer, End), SourceError> {
        let mut buffer = self.carried.take().unwrap_or_else(|| self.context.buffers.large());
        buffer.set_aside(length);
        loop {
            let room = length - buffer.len();
            if room == 0 {
                return Ok((buffer, End::Full));
            }
            // In steps: most large files are much smaller than the buffer may be.
            match front.read(buffer.next(room.min(READ_BYTES)))? {
                Portion::Data(read) => {
                    self.context.count_read(read as u64);
                    buffer.add(read);
                }
                Portion::Hole(length) => return Ok((buffer, End::Hole(length))),
                Portion::End => return Ok((buffer, End::File)),
            }
        }
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
            let of = Of::Part { ticket: self.ticket, number: self.number };
            self.number += 1;
            let chunks = part.iter().cloned().map(Chunk::cut).collect();
            self.desk.give(Task { of, chunks, buffer: Arc::clone(&buffer), share: Arc::clone(&share) });
        }
    }
}

fn endless(metadata: &Metadata) -> SourceError {
    let what = format!("it says that it has {} bytes and gives no end: the system makes it up", metadata.size);
    SourceError::new(SourceErrorKind::Other, &what)
}
