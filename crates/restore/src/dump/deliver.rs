//! Delivers a stream in its order, and stops before the first byte that would be wrong.
//!
//! Whoever only checks goes on and notes every loss.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use lbak_core::{
    browse::Findings,
    error::{Error, Result, escape},
    observe::{Event, FindingKind, Progress},
};

use super::{fetch::Fetched, header::extension, part::Part};

/// Zeros that are written at once.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Where a stream goes.
pub(super) trait Delivery {
    /// Takes the next window.
    fn take(&mut self, fetched: &Fetched) -> Result<()>;
}

/// Notes what is lost, once for each file.
pub(super) struct Check<'a> {
    findings: &'a Findings,
    expected: Progress,
    so_far: Progress,
    path: Vec<u8>,
    is_told: bool,
}

impl<'a> Check<'a> {
    pub(super) fn new(findings: &'a Findings, expected: Progress) -> Self {
        Self { findings, expected, so_far: expected, path: Vec::new(), is_told: false }
    }

    fn lose(&mut self, reason: &str) {
        if !self.is_told {
            self.findings.lose(1, self.path.clone(), reason);
            self.is_told = true;
        }
    }
}

impl Delivery for Check<'_> {
    fn take(&mut self, fetched: &Fetched) -> Result<()> {
        for part in &fetched.parts {
            match part {
                Part::Begin(path) => {
                    self.path.clone_from(path);
                    self.is_told = false;
                }
                Part::Chunk { id, length } => match fetched.chunks.get(id) {
                    Some(Err(reason)) => self.lose(reason),
                    Some(Ok(chunk)) if chunk.len() != *length as usize => self.lose(WRONG_LENGTH),
                    _ => self.so_far.bytes += u64::from(*length),
                },
                Part::Lost { path, entries, reason } => {
                    // A file whose list is lost too is told once; what is in a directory is more than the directory.
                    if !(self.is_told && *path == self.path) {
                        self.findings.lose(*entries, path.clone(), reason);
                    }
                    self.is_told |= *path == self.path;
                }
                Part::End => self.so_far.files += 1,
                Part::Bytes(_) | Part::Zeros(_) | Part::Skipped(_) => {}
            }
        }
        let progress = Progress { total_files: self.expected.total_files, ..self.so_far };
        self.findings.observer().event(&Event::Progress(progress));
        Ok(())
    }
}

const WRONG_LENGTH: &str = "a chunk of it has another length than the file says";

/// Writes a stream.
pub(super) struct Writer<'a> {
    out: BufWriter<&'a mut dyn Write>,
    findings: &'a Findings,
    is_archive: bool,
    /// What was written ends with a whole entry.
    is_between: bool,
    path: Vec<u8>,
    so_far: Progress,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write, findings: &'a Findings, is_archive: bool, expected: Progress) -> Self {
        // Headers are small, and a pipe takes 64 KiB at once.
        let out = BufWriter::with_capacity(64 << 10, out);
        Self { out, findings, is_archive, is_between: true, path: Vec::new(), so_far: expected }
    }

    /// Bytes that were written.
    pub(super) fn bytes(&self) -> u64 {
        self.so_far.bytes
    }

    /// Things that were written whole.
    pub(super) fn entries(&self) -> u64 {
        self.so_far.files
    }

    /// Hands on what the other side may still hold back.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(refused)
    }

    /// Hands on what is right of a stream that ends too early. Many programs take an archive that stops between two entries for
    /// a whole one: it is made to stop in the middle of one.
    pub(super) fn break_off(mut self) {
        if self.is_archive && self.is_between && self.bytes() > 0 {
            // Whether it arrives or not, there is nobody left to tell.
            let _ = self.out.write_all(&extension(b"the archive is cut off here", 512));
        }
        let _ = self.out.flush();
        self.discard();
    }

    /// Forgets what is held back.
    pub(super) fn discard(self) {
        drop(self.out.into_parts());
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(refused)?;
        self.so_far.bytes += bytes.len() as u64;
        Ok(())
    }

    fn write_zeros(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            let length = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write(ZEROS.get(..length).unwrap_or_default())?;
            count -= length as u64;
        }
        Ok(())
    }

    fn lost(&self, path: &[u8], entries: u64, reason: &str) -> Error {
        let written = self.bytes();
        self.findings.lose(entries, path.to_vec(), reason);
        let what = if self.is_archive {
            format!("the archive was broken off there, after {written} bytes: {reason}")
        } else {
            format!("only its first {written} bytes are good, and no more were given out: {reason}")
        };
        Error::damaged(format!("\"{}\"", escape(path)), what)
    }
}

impl Delivery for Writer<'_> {
    fn take(&mut self, fetched: &Fetched) -> Result<()> {
        for part in &fetched.parts {
            match part {
                Part::Begin(path) => self.path.clone_from(path),
                Part::Bytes(bytes) => {
                    self.is_between = false;
                    self.write(bytes)?;
                }
                Part::Zeros(count) => {
                    self.is_between &= *count == 0;
                    self.write_zeros(*count)?;
                }
                Part::Chunk { id, length } => {
                    self.is_between = false;
                    match fetched.chunks.get(id) {
                        Some(Ok(chunk)) if chunk.len() == *length as usize => self.write(chunk)?,
                        Some(Err(reason)) => return Err(self.lost(&self.path, 1, reason)),
                        _ => return Err(self.lost(&self.path, 1, WRONG_LENGTH)),
                    }
                }
                Part::End => {
                    self.is_between = true;
                    self.so_far.files += 1;
                }
                Part::Skipped(path) => {
                    let message = "a socket is made by the program that listens on it";
                    self.findings.note(FindingKind::Skipped, path.clone(), message);
                }
                Part::Lost { path, entries, reason } => return Err(self.lost(path, *entries, reason)),
            }
        }
        self.findings.observer().event(&Event::Progress(self.so_far));
        Ok(())
    }
}

fn refused(source: std::io::Error) -> Error {
    Error::Target { action: "write", path: PathBuf::from("the stream"), source }
}
