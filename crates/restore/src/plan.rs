//! Walks the trees depth first, makes directories and what is no file, and fills windows with the rest.
//!
//! It runs in a thread of its own and is one window ahead of those who write.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::SyncSender},
};

use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::FindingKind,
    tree::{
        Attributes, Content, ContentReader, Entry, NameRule, Node, ReadChunk, TreeReader, check_name, decode_attributes,
    },
};

use crate::{
    chunks::Chunks,
    directory::{Directory, Existing},
    file::File,
    findings::in_words,
    links::{Link, Links, Name},
    node,
    options::Place,
    roots::Root,
    target::Target,
    window::{Cursor, Window},
};

/// Most bytes of extended attributes of one file that are believed: Linux allows 64 KiB of each, some of its file systems more.
const MOST_ATTRIBUTES: usize = 64 << 20;

/// What the walk needs to know.
pub(crate) struct Plan<'a> {
    pub(crate) chunks: &'a Chunks,
    pub(crate) target: &'a Target,
    pub(crate) top: Arc<Directory>,
    pub(crate) roots: Vec<Root>,
    pub(crate) place: Place,
    pub(crate) window_bytes: usize,
}

/// Gives one window after another; ends early when nobody takes them.
pub(crate) fn run(plan: Plan<'_>, windows: &SyncSender<Window>) -> Result<()> {
    let (chunks, target) = (plan.chunks, plan.target);
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let window_bytes = plan.window_bytes;
    let mut walk = Walk {
        target,
        read: &read,
        top: plan.top,
        place: plan.place,
        roots: plan.roots.into(),
        on_the_way: Vec::new(),
        levels: Vec::new(),
        cursor: None,
        links: Links::default(),
    };
    loop {
        let mut window = Window::new(window_bytes);
        let filled = walk.fill(&mut window);
        let is_last = window.is_empty();
        let stop = match filled {
            Ok(()) if is_last => return Ok(()),
            Ok(()) => windows.send(window).err().map(|unsent| (unsent.0, Ok(()))),
            Err(error) => Some((window, Err(error))),
        };
        if let Some((window, outcome)) = stop {
            // A large file may have been begun in an earlier window.
            window.abandon(target);
            if let Some(cursor) = &walk.cursor {
                cursor.file.abandon(target);
            }
            return outcome;
        }
    }
}

struct Walk<'a> {
    target: &'a Target,
    read: &'a ReadChunk<'a>,
    top: Arc<Directory>,
    place: Place,
    roots: VecDeque<Root>,
    /// The directories on the way to the root that was met last.
    on_the_way: Vec<(Vec<u8>, Arc<Directory>)>,
    levels: Vec<Level<'a>>,
    cursor: Option<Cursor>,
    links: Links,
}

/// A directory that is being walked.
struct Level<'a> {
    directory: Arc<Directory>,
    entries: TreeReader<'a>,
}

impl<'a> Walk<'a> {
    fn fill(&mut self, window: &mut Window) -> Result<()> {
        while !window.is_full() {
            self.target.cancellation.check()?;
            if let Some(cursor) = &mut self.cursor {
                if cursor.fill(window, self.read)? {
                    self.cursor = None;
                }
                continue;
            }
            let Some(level) = self.levels.last_mut() else {
                match self.roots.pop_front() {
                    Some(root) => self.root(root, window)?,
                    None => return Ok(()),
                }
                continue;
            };
            let entry = level.entries.next();
            let directory = Arc::clone(&level.directory);
            match entry {
                Some(Ok(entry)) => self.entry(&directory, entry, window)?,
                Some(Err(lost)) if lost.error.is_damage() => {
                    self.target.findings.lose(lost.entries, directory.path(), in_words_of_run(&lost));
                }
                Some(Err(lost)) => return Err(lost.error),
                None => {
                    self.levels.pop();
                    directory.release(self.target);
                }
            }
        }
        Ok(())
    }

    fn root(&mut self, root: Root, window: &mut Window) -> Result<()> {
        let mut entry = root.selected.entry;
        let Some((name, above)) = root.names.split_last() else {
            // The target itself stands for it.
            if let Node::Directory { tree } = entry.node {
                crate::target::add(&self.target.restored.directories, 1);
                let top = Arc::clone(&self.top);
                self.enter(top, tree)?;
            }
            return Ok(());
        };
        let Some(directory) = self.way_to(above)? else { return Ok(()) };
        entry.name.clone_from(name);
        self.entry(&directory, entry, window)
    }

    /// Makes or enters the directories that lead to a root.
    fn way_to(&mut self, names: &[Vec<u8>]) -> Result<Option<Arc<Directory>>> {
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

    fn entry(&mut self, directory: &Arc<Directory>, mut entry: Entry, window: &mut Window) -> Result<()> {
        // Trees are checked when they are read; that no name leads out of its directory is worth asking twice.
        if let Err(what) = check_name(NameRule::Component, &entry.name) {
            let path = directory.path_of(&entry.name);
            self.target.findings.note(FindingKind::Unwritable, path, format!("its name {what}"));
            return Ok(());
        }
        self.read_attributes(directory, &mut entry)?;
        if let Node::Directory { tree } = entry.node {
            let name = entry.name.clone();
            let existing = if self.place == Place::Original { Existing::Enter } else { Existing::Refuse };
            return match directory.child(self.target, &name, Some(entry), existing)? {
                Some(child) => self.enter(child, tree),
                None => Ok(()),
            };
        }
        let origin = match self.links.meet(directory, &entry) {
            Name::Alone => None,
            Name::First(origin) => Some(origin),
            Name::More(origin) => {
                window.links.push(Link::new(directory, entry, origin));
                return Ok(());
            }
            Name::Other(origin) => {
                let first = lbak_core::error::escape(&origin.path());
                let message =
                    format!("it is no hard link of \"{first}\" any more: it held something else when it was read");
                self.target.findings.note(FindingKind::MetadataUnset, directory.path_of(&entry.name), message);
                None
            }
        };
        if let Node::File { content } = &mut entry.node {
            let content = std::mem::take(content);
            self.cursor = Some(Cursor::new(File::new(directory, entry, origin), content));
            return Ok(());
        }
        let made = node::make(self.target, directory, &entry)?;
        if let Some(origin) = origin {
            made.map_or_else(|| origin.failed(), |identity| origin.complete(identity));
        }
        Ok(())
    }

    fn enter(&mut self, directory: Arc<Directory>, tree: ChunkId) -> Result<()> {
        match TreeReader::open(NameRule::Component, tree, self.read) {
            Ok(entries) => self.levels.push(Level { directory, entries }),
            Err(error) if error.is_damage() => {
                let message = format!("everything in it is lost: {}", in_words(&error));
                self.target.findings.lose(1, directory.path(), message);
                directory.release(self.target);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads attributes that were too long for the entry. Their loss is damage, but does not cost the file.
    fn read_attributes(&self, directory: &Directory, entry: &mut Entry) -> Result<()> {
        let Attributes::Stored(content) = &entry.attributes else { return Ok(()) };
        let read = read_stored_attributes(content, self.read);
        entry.attributes = match read {
            Ok(pairs) => Attributes::Inline(pairs),
            Err(error) if error.is_damage() => {
                let message = format!("its extended attributes are lost: {}", in_words(&error));
                self.target.findings.note(FindingKind::DamagedObject, directory.path_of(&entry.name), message);
                Attributes::None
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

fn in_words_of_run(lost: &lbak_core::tree::LostRun) -> String {
    match &lost.after {
        Some(after) => format!("behind \"{}\", {}", lbak_core::error::escape(after), in_words(lost)),
        None => in_words(lost),
    }
}

pub(crate) fn read_stored_attributes(content: &Content, read: &ReadChunk<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut bytes = Vec::new();
    for placed in ContentReader::new(content, None, read) {
        let piece = placed.map_err(|lost| lost.error)?.piece;
        let Some(id) = piece.chunk else { return Err(Error::damaged("attributes", "they have a hole")) };
        let chunk = read(ChunkKind::Data, &id)?;
        if bytes.len() + chunk.len() > MOST_ATTRIBUTES {
            return Err(Error::damaged("attributes", "they are longer than any file system allows"));
        }
        bytes.extend_from_slice(&chunk);
    }
    decode_attributes("attributes", &bytes)
}
