//! What a command writes to standard error: told line by line, and the end of it kept for the error message.

use std::{
    collections::VecDeque,
    fs::File,
    io::Read,
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    super::waiting::{Stop, Woken, is_ready},
    Listener,
};
use crate::error::escape;

/// Bytes that are kept.
const KEPT: usize = 64 << 10;

/// Bytes of a line that is told before its end is seen.
const LONGEST_LINE: usize = 8 << 10;

/// Bytes that are still read when the command has ended: all that a pipe may hold. What comes behind them is not its own.
const LEFT_BEHIND: usize = 1 << 20;

/// What was said.
#[derive(Default)]
pub(super) struct Said {
    listener: Option<Listener>,
    kept: Mutex<VecDeque<u8>>,
}

impl Said {
    pub(super) fn to(listener: Listener) -> Self {
        Self { listener: Some(listener), kept: Mutex::default() }
    }

    /// Reads all of it, until its end, or until the command has ended and all that it said was read.
    pub(super) fn listen(&self, mut stderr: File, ended: &Stop) {
        let mut line = Vec::new();
        let mut buffer = [0; 4096];
        let mut left_behind = 0;
        loop {
            let is_more = match ended.wait(Some(stderr.as_fd()), Duration::from_secs(3600)) {
                Ok(Woken::Ready) => true,
                Ok(Woken::Nothing) => continue,
                Ok(Woken::Stopped) => left_behind < LEFT_BEHIND && is_ready(stderr.as_fd()).unwrap_or(false),
                Err(_) => false,
            };
            let length = if is_more { stderr.read(&mut buffer).unwrap_or(0) } else { 0 };
            if length == 0 {
                break;
            }
            left_behind += if ended.is_on() { length } else { 0 };
            self.hear(&buffer[..length], &mut line);
        }
        if !line.is_empty() {
            self.tell(&line);
        }
    }

    /// The end of what was said, escaped line by line.
    pub(super) fn last(&self) -> String {
        let kept: Vec<u8> = self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let lines: Vec<String> = kept.split(|&byte| byte == b'\n').map(escape).collect();
        lines.join("\n")
    }

    fn hear(&self, bytes: &[u8], line: &mut Vec<u8>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
        drop(kept);
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() == LONGEST_LINE {
                self.tell(line);
                line.clear();
            }
        }
    }

    fn tell(&self, line: &[u8]) {
        if let Some(listener) = &self.listener {
            listener(line);
        }
    }
}
