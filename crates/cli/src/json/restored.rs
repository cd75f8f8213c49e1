//! What a restore has done with one entry, for programs.

use std::{os::unix::ffi::OsStrExt, path::Path};

use lbak::Action;
use serde::Serialize;

/// One entry, with `--verbose`.
#[derive(Serialize)]
pub(crate) struct RestoredEntry {
    message_type: &'static str,
    path: String,
    target: String,
    action: &'static str,
    size: u64,
}

impl RestoredEntry {
    pub(crate) fn of(action: Action, path: &[u8], target: &Path, bytes: u64) -> Self {
        let action = match action {
            Action::Created => "create",
            Action::Updated => "update",
            Action::Kept => "keep",
            Action::Deleted => "delete",
        };
        let target = super::path(target.as_os_str().as_bytes());
        Self { message_type: "path", path: super::path(path), target, action, size: bytes }
    }
}
