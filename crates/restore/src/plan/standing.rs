//! Directories that are being walked: which are there, and which are made only when something in them is wanted.

use std::sync::Arc;

use lbak_core::{
    browse::in_words,
    error::Result,
    id::ChunkId,
    tree::{Entry, EntryFlags, NameRule, TreeReader},
};

use super::{Level, Walk};
use crate::{
    attributes,
    directory::{Directory, Existing},
    extra::{Extra, Spared},
    options::Place,
};

/// Whether a directory that is being walked is there.
pub(super) enum Standing {
    There(Arc<Directory>),
    /// It is only on the way: made when something in it is wanted.
    Later(Box<Entry>),
    /// It could not be made.
    Failed,
}

impl Walk<'_> {
    /// Tells whether a directory of the one that is being walked is there already.
    pub(super) fn is_there(&self, entry: &Entry) -> bool {
        let Some(Level { standing: Standing::There(directory), .. }) = self.levels.last() else { return false };
        let found = directory.existing(self.target, &entry.name).ok().flatten();
        found.is_some_and(|stat| crate::system::kind(&stat) == rustix::fs::FileType::Directory)
    }

    /// The directory that is being walked, made now with those above it if it was only on the way.
    pub(super) fn standing(&mut self) -> Result<Option<Arc<Directory>>> {
        // From the back: there may be 100,000 levels, and this is asked for every entry.
        let settled = self.levels.iter().rposition(|level| !matches!(level.standing, Standing::Later(_)));
        for place in settled.map_or(0, |last| last + 1)..self.levels.len() {
            let entry = match self.levels.get(place).map(|level| &level.standing) {
                Some(Standing::Later(entry)) => (**entry).clone(),
                Some(Standing::There(_)) => continue,
                Some(Standing::Failed) | None => return Ok(None),
            };
            let parent = match place.checked_sub(1).and_then(|above| self.levels.get(above)) {
                Some(Level { standing: Standing::There(directory), .. }) => Some(Arc::clone(directory)),
                Some(_) => None,
                None => {
                    let above = std::mem::take(&mut self.above);
                    self.way_to(&above)?
                }
            };
            let made = match parent {
                Some(parent) => self.directory(&parent, entry)?,
                None => None,
            };
            if let Some(level) = self.levels.get_mut(place) {
                level.standing = made.map_or(Standing::Failed, Standing::There);
            }
        }
        Ok(match self.levels.last().map(|level| &level.standing) {
            Some(Standing::There(directory)) => Some(Arc::clone(directory)),
            _ => None,
        })
    }

    pub(super) fn directory(&self, parent: &Arc<Directory>, mut entry: Entry) -> Result<Option<Arc<Directory>>> {
        attributes::read_into(&mut entry, self.target, parent, self.read)?;
        let name = entry.name.clone();
        let enters = self.place == Place::Original || self.target.looks();
        let existing = if enters { Existing::Enter } else { Existing::Refuse };
        parent.child(self.target, &name, Some(entry), existing)
    }

    /// Begins to walk a directory, whose path is the one that is looked at.
    pub(super) fn enter(
        &mut self,
        standing: Standing,
        tree: ChunkId,
        flags: EntryFlags,
        is_wanted: bool,
    ) -> Result<()> {
        match TreeReader::open(NameRule::Component, tree, self.read) {
            Ok(entries) => {
                let extra = self.target.deletes().then(|| {
                    let spared = self.spared(flags);
                    Extra::new(self.root_length, is_wanted).spared(spared)
                });
                let path_length = self.path.len();
                self.levels.push(Level { standing, tree, entries, partial: None, path_length, is_wanted, extra });
            }
            Err(error) if error.is_damage() => {
                let message = format!("everything in it is lost: {}", in_words(&error));
                self.target.findings.lose(1, self.path.clone(), message);
                if let Some(Level { standing: Standing::There(above), .. }) = self.levels.last() {
                    above.miss();
                }
                if let Standing::There(directory) = standing {
                    directory.release(self.target);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A directory that could not be listed stands empty, which does not mean that it was; and what was left out by choice is no
    /// evidence that it was not there, unless the caller insists.
    fn spared(&self, flags: EntryFlags) -> Option<Spared> {
        if flags.contains(EntryFlags::CONTENT_LOST) {
            return Some(Spared::Lost);
        }
        if flags.contains(EntryFlags::CONTENT_UNREAD) {
            return Some(Spared::Unread);
        }
        let is_partial = flags.contains(EntryFlags::NAMES_LEFT_OUT) && !self.target.deletes_left_out();
        is_partial.then_some(Spared::LeftOut)
    }
}
