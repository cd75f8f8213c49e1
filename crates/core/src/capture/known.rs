//! The parent snapshot's tree of one directory, read beside the directory itself.

use crate::{
    error::Error,
    id::ChunkId,
    tree::{Entry, NameRule, ReadChunk, TreeReader},
};

/// The parent snapshot's entries of one directory, asked for in the order of names.
pub(super) struct Known<'a> {
    entries: Option<TreeReader<'a>>,
    next: Option<Entry>,
    /// It has entries that were not asked for.
    pub(super) is_passed_over: bool,
    /// Why it, or a part of it, can not be read.
    pub(super) trouble: Option<Error>,
}

impl<'a> Known<'a> {
    pub(super) fn open(rule: NameRule, tree: Option<ChunkId>, read: &'a ReadChunk<'a>) -> Self {
        let mut known = Self { entries: None, next: None, is_passed_over: false, trouble: None };
        match tree.map(|tree| TreeReader::open(rule, tree, read)).transpose() {
            Ok(entries) => known.entries = entries,
            Err(error) => known.trouble = Some(error),
        }
        known.advance();
        known
    }

    pub(super) fn find(&mut self, name: &[u8]) -> Option<Entry> {
        while self.next.as_ref().is_some_and(|next| next.name.as_slice() < name) {
            self.is_passed_over = true;
            self.advance();
        }
        let found = self.next.take_if(|next| next.name == name);
        if found.is_some() {
            self.advance();
        }
        found
    }

    pub(super) fn finish(&mut self) {
        self.is_passed_over |= self.next.is_some();
    }

    fn advance(&mut self) {
        loop {
            match self.entries.as_mut().and_then(Iterator::next) {
                Some(Ok(entry)) => {
                    self.next = Some(entry);
                    return;
                }
                Some(Err(lost)) => {
                    // What is not damage is what the caller must hear of.
                    if self.trouble.as_ref().is_none_or(Error::is_of_one_object) {
                        self.trouble = Some(lost.error);
                    }
                }
                None => {
                    self.next = None;
                    return;
                }
            }
        }
    }
}
