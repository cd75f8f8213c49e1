//! Where the bytes of a dump go: standard output, which is never a terminal that they could upset, or a file that is there
//! only when it is complete.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, IsTerminal, Seek, SeekFrom, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::exit::Trouble;

/// Zeros that are worth a hole.
const HOLE: usize = 32 << 10;

static ZEROS: [u8; HOLE] = [0; HOLE];

/// Standard output for raw bytes.
pub(crate) struct RawOutput {
    file: File,
    is_terminal: bool,
    /// Bytes for people were met where only text may go.
    pub(crate) is_refused: bool,
    /// Nobody reads it any more.
    pub(crate) is_closed: bool,
}

impl RawOutput {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let stdout = io::stdout();
        let file = File::from(stdout.as_fd().try_clone_to_owned().context("cannot use standard output")?);
        Ok(Self { file, is_terminal: stdout.is_terminal(), is_refused: false, is_closed: false })
    }

    /// What is said when it was refused.
    pub(crate) fn refusal() -> anyhow::Error {
        let trouble = Trouble::usage("refusing to write binary data to a terminal");
        trouble.hint("give -o FILE, or send it through a pipe").into()
    }
}

impl Write for RawOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A part of a character at the end is left to what comes next.
        let is_text = |bytes: &[u8]| {
            let text = match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) if error.error_len().is_none() => {
                    std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
                }
                Err(_) => return false,
            };
            text.chars().all(|character| !character.is_control() || matches!(character, '\n' | '\t' | '\r'))
        };
        if self.is_terminal && !is_text(bytes) {
            self.is_refused = true;
            return Err(ErrorKind::InvalidData.into());
        }
        self.file.write(bytes).inspect_err(|error| self.is_closed |= error.kind() == ErrorKind::BrokenPipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that gets its name when it is complete, and that only its owner can read. Runs of zeros become holes.
pub(crate) struct NewFile {
    file: File,
    target: PathBuf,
    /// The name that it has until then; none for a device or a pipe, which are written to as they are.
    draft: Option<PathBuf>,
    length: u64,
}

impl NewFile {
    /// Refuses a file that is there.
    pub(crate) fn create(target: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot write {}", target.display());
        match fs::metadata(target) {
            Ok(metadata) if metadata.file_type().is_fifo() || metadata.file_type().is_char_device() => {
                let file = File::options().write(true).open(target).with_context(failed)?;
                return Ok(Self { file, target: target.to_owned(), draft: None, length: 0 });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(failed),
            Ok(_) => {
                let trouble = Trouble::usage(format!("{} is there already", target.display()));
                return Err(trouble.hint("choose another name: nothing is overwritten").into());
            }
        }
        let name = target.file_name().with_context(failed)?;
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".lbak-{}", std::process::id()));
        let draft = target.with_file_name(draft);
        // What is in it may have been for its owner alone, and nobody else has asked for it.
        let file = File::options().write(true).create_new(true).mode(0o600).open(&draft).with_context(failed)?;
        Ok(Self { file, target: target.to_owned(), draft: Some(draft), length: 0 })
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn complete(mut self) -> anyhow::Result<()> {
        let Some(draft) = self.draft.take() else { return Ok(()) };
        let outcome = self.publish(&draft);
        let _ = fs::remove_file(&draft);
        outcome.with_context(|| format!("cannot write {}", self.target.display()))
    }

    fn publish(&mut self, draft: &Path) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        match fs::hard_link(draft, &self.target) {
            // Not every file system has links.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => fs::rename(draft, &self.target)?,
            outcome => outcome?,
        }
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_hole =
            self.draft.is_some() && bytes.len() >= HOLE && bytes.chunks(HOLE).all(|part| ZEROS.starts_with(part));
        let written = if is_hole {
            self.file.seek(SeekFrom::Current(i64::try_from(bytes.len()).unwrap_or(0)))?;
            bytes.len()
        } else {
            self.file.write(bytes)?
        };
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            let _ = fs::remove_file(draft);
        }
    }
}
