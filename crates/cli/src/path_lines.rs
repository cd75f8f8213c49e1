//! A line for each path that is read, left out or restored: with `--verbose`, and for programs in a dry run.

use std::{os::unix::ffi::OsStrExt, sync::Arc};

use lbak::{Action, Event, Observer, escape};

use crate::{json, output::Output};

/// An observer that tells of paths, and passes on whatever it hears.
pub(crate) struct PathLines {
    inner: Arc<dyn Observer>,
    output: Arc<Output>,
    is_dry_run: bool,
}

impl PathLines {
    pub(crate) fn new(inner: Arc<dyn Observer>, output: &Arc<Output>, is_dry_run: bool) -> Arc<Self> {
        Arc::new(Self { inner, output: Arc::clone(output), is_dry_run })
    }

    /// In a dry run the lines are what was asked for; otherwise they tell what is going on.
    fn line(&self, line: &str) {
        // A pipe that is closed, or a disk that is full, is told when the command prints its summary.
        let _ = match self.is_dry_run {
            true => self.output.line_beside_bar(line),
            false => {
                self.output.note_of_path(line);
                Ok(())
            }
        };
    }
}

impl Observer for PathLines {
    fn event(&self, event: &Event<'_>) {
        let is_json = self.output.is_json();
        match event {
            Event::Read { path, bytes, reason } if is_json => {
                let _ = self.output.json(&json::PathLine::read(path, *bytes, *reason));
            }
            Event::Excluded { path, exclusion } if is_json => {
                let _ = self.output.json(&json::PathLine::excluded(path, *exclusion));
            }
            Event::Restored { action, path, target, bytes } if is_json => {
                let _ = self.output.json(&json::RestoredEntry::of(*action, path, target, *bytes));
            }
            Event::Restored { action, target, .. } => {
                let word = match action {
                    Action::Created => "create",
                    Action::Updated => "update",
                    Action::Kept => "keep  ",
                    Action::Deleted => "delete",
                };
                self.line(&format!("{word} {}", escape(target.as_os_str().as_bytes())));
            }
            Event::Read { path, reason, .. } => self.line(&format!("read {}: {reason}", escape(path))),
            Event::Excluded { path, exclusion } => self.line(&format!("left out {}: {exclusion}", escape(path))),
            _ => {}
        }
        self.inner.event(event);
    }

    fn wants_paths(&self) -> bool {
        let output = &self.output;
        output.is_verbose() || output.is_json() && self.is_dry_run && !output.is_quiet()
    }
}
