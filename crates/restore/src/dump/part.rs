//! What a stream is made of, in its order, and windows of it.
//!
//! ```text
//! plan: trees → parts → windows  →  fetch: chunks of a window, in parallel  →  deliver: bytes, in order
//! ```

use std::sync::mpsc::SyncSender;

use lbak_core::{
    error::{Error, Result},
    id::ChunkId,
    observe::Cancellation,
};

/// Parts in a window: a few megabytes.
const MOST_PARTS: usize = 32 << 10;

/// A part of a stream.
pub(super) enum Part {
    /// What follows is of this path of the snapshot.
    Begin(Vec<u8>),
    /// Bytes that are made here: headers of an archive.
    Bytes(Vec<u8>),
    /// Zeros: holes, and what fills up the blocks of an archive.
    Zeros(u64),
    /// A chunk of a file.
    Chunk {
        /// Which one.
        id: ChunkId,
        /// The length that the file has it with.
        length: u32,
    },
    /// What was begun is complete. An archive that stopped here would look whole.
    End,
    /// A socket, which no archive can hold.
    Skipped(Vec<u8>),
    /// Stored bytes are lost that the stream needs here.
    Lost {
        /// The path that they belong to.
        path: Vec<u8>,
        /// How many entries are lost with them.
        entries: u64,
        /// Why.
        reason: String,
    },
}

impl Part {
    /// Bytes of memory that it takes until it is delivered.
    fn weight(&self) -> u64 {
        match self {
            Self::Begin(bytes) | Self::Bytes(bytes) | Self::Skipped(bytes) => bytes.len() as u64,
            Self::Chunk { length, .. } => u64::from(*length),
            Self::Lost { path, reason, .. } => (path.len() + reason.len()) as u64,
            Self::Zeros(_) | Self::End => 0,
        }
    }
}

/// So much of a stream as is fetched at once.
pub(super) type Window = Vec<Part>;

/// Takes parts one by one and gives windows of them.
pub(super) struct Feed<'a> {
    window: Window,
    weight: u64,
    limit: u64,
    windows: &'a SyncSender<Result<Window>>,
    cancellation: &'a Cancellation,
}

impl<'a> Feed<'a> {
    pub(super) fn new(limit: usize, windows: &'a SyncSender<Result<Window>>, cancellation: &'a Cancellation) -> Self {
        Self { window: Window::new(), weight: 0, limit: limit as u64, windows, cancellation }
    }

    /// Adds the next part. An error when the stream has stopped.
    pub(super) fn push(&mut self, part: Part) -> Result<()> {
        self.weight = self.weight.saturating_add(part.weight());
        self.window.push(part);
        if self.weight >= self.limit || self.window.len() >= MOST_PARTS { self.flush() } else { Ok(()) }
    }

    /// Gives what is still held.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.cancellation.check()?;
        self.weight = 0;
        let window = std::mem::take(&mut self.window);
        // Whoever has stopped taking them knows why; nobody hears of this.
        self.windows.send(Ok(window)).map_err(|_| Error::Cancelled)
    }
}
