//! Where a walk begins: a root, and the directories that lead to it.

use std::sync::Arc;

use lbak_core::{
    error::{Error, Result},
    patterns::Choice,
    tree::Node,
};

use super::{Standing, Walk};
use crate::{
    directory::{Directory, Existing},
    options::Place,
    roots::Root,
    target::add,
    window::Window,
};

impl Walk<'_> {
    pub(super) fn root(&mut self, root: Root, window: &mut Window) -> Result<()> {
        let mut entry = root.selected.entry;
        self.extent.meet(&entry)?;
        self.path.clone_from(&root.selected.path);
        self.root_length = self.path.len();
        self.target.add_root(self.path.clone());
        let is_directory = matches!(entry.node, Node::Directory { .. });
        let choice = self.choose_root(is_directory);
        if choice == Choice::Excluded {
            return Ok(());
        }
        let Some((name, above)) = root.names.split_last() else {
            // The target itself stands for it.
            if let Node::Directory { tree } = entry.node {
                add(&self.target.restored.directories, 1);
                if !self.target.is_reading_back {
                    self.target.act(self.top_action, 0, &|| self.path.clone());
                }
                let top = Arc::clone(&self.top);
                self.refuse_to_delete_in_root(&top)?;
                self.enter(Standing::There(top), tree, entry.flags, choice == Choice::Wanted)?;
            }
            return Ok(());
        };
        entry.name.clone_from(name);
        self.above = above.to_vec();
        match entry.node {
            Node::Directory { tree } if choice == Choice::OnTheWay => {
                let flags = entry.flags;
                self.enter(Standing::Later(Box::new(entry)), tree, flags, false)
            }
            _ if choice == Choice::OnTheWay => Ok(()),
            _ => match self.way_to(above)? {
                Some(directory) => self.entry(&directory, entry, window),
                None => Ok(()),
            },
        }
    }

    /// A pattern that names a root, or what lies above it, is about all of it.
    fn choose_root(&self, is_directory: bool) -> Choice {
        let patterns = &self.target.patterns;
        if patterns.is_empty() {
            return Choice::Wanted;
        }
        // Patterns that are no paths are about what is below; a single file is below the directory that it comes from.
        let name = self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let below = if is_directory { &b""[..] } else { name };
        let mut choice = self.target.choose(&patterns.matched(&self.path, below, is_directory));
        let slashes = self.path.iter().enumerate().filter(|&(place, &byte)| place > 0 && byte == b'/');
        for (end, _) in slashes {
            match self.target.choose(&patterns.matched(self.path.get(..end).unwrap_or_default(), b"", true)) {
                Choice::Excluded => return Choice::Excluded,
                Choice::Wanted if choice != Choice::Excluded => choice = Choice::Wanted,
                Choice::Wanted | Choice::OnTheWay => {}
            }
        }
        choice
    }

    /// Nobody wants what the snapshot does not know of a running system to be deleted.
    fn refuse_to_delete_in_root(&self, top: &Directory) -> Result<()> {
        let root = rustix::fs::statat(rustix::fs::CWD, "/", rustix::fs::AtFlags::empty());
        let is_root = root.is_ok_and(|stat| crate::system::identity(&stat) == top.identity());
        if is_root && self.target.deletes() {
            return Err(Error::Invalid { what: "refusing to delete in /: restore its directories one by one".into() });
        }
        Ok(())
    }

    /// Makes or enters the directories that lead to a root.
    pub(super) fn way_to(&mut self, names: &[Vec<u8>]) -> Result<Option<Arc<Directory>>> {
        let existing = if self.place == Place::Original { Existing::Follow } else { Existing::Enter };
        let shared = self.on_the_way.iter().zip(names).take_while(|((met, _), name)| met == *name).count();
        self.on_the_way.truncate(shared);
        for name in names.iter().skip(shared) {
            let above = self.on_the_way.last().map_or(&self.top, |(_, directory)| directory);
            let Some(directory) = above.child(self.target, name, None, existing)? else { return Ok(None) };
            self.on_the_way.push((name.clone(), directory));
        }
        Ok(Some(self.on_the_way.last().map_or(&self.top, |(_, directory)| directory).clone()))
    }
}
