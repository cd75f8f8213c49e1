//! Walks the trees depth first, makes directories and what is no file, and fills windows with the rest.
//!
//! It runs in a thread of its own and is one window ahead of those who write.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::SyncSender},
};

use lbak_core::{
    error::{Error, Result, escape},
    id::{ChunkId, ChunkKind},
    observe::{Event, FindingKind},
    patterns::Choice,
    tree::{
        Attributes, Content, ContentReader, Entry, EntryFlags, NameRule, Node, ReadChunk, TreeReader, check_name,
        decode_attributes,
    },
};

use crate::{
    begin,
    chunks::Chunks,
    directory::{Directory, Existing},
    extra::Extra,
    findings::in_words,
    links::{Link, Links, Name},
    node,
    options::Place,
    roots::Root,
    select::join,
    target::Target,
    temporary,
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
        chunks,
        target,
        read: &read,
        top: plan.top,
        place: plan.place,
        roots: plan.roots.into(),
        on_the_way: Vec::new(),
        above: Vec::new(),
        path: Vec::new(),
        root_length: 0,
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
    chunks: &'a Chunks,
    target: &'a Target,
    read: &'a ReadChunk<'a>,
    top: Arc<Directory>,
    place: Place,
    roots: VecDeque<Root>,
    /// The directories on the way to the root that was met last.
    on_the_way: Vec<(Vec<u8>, Arc<Directory>)>,
    /// The names that lead to the root that is being walked, without its own.
    above: Vec<Vec<u8>>,
    /// Path in the source of what is being walked, and the length of its root's.
    path: Vec<u8>,
    root_length: usize,
    levels: Vec<Level<'a>>,
    cursor: Option<Cursor>,
    links: Links,
}

/// A directory that is being walked.
struct Level<'a> {
    standing: Standing,
    entries: TreeReader<'a>,
    path_length: usize,
    /// All in it is wanted that is not excluded.
    is_wanted: bool,
    /// The names in it, when others are to be deleted.
    extra: Option<Extra>,
}

/// Whether a directory that is being walked is there.
enum Standing {
    There(Arc<Directory>),
    /// It is only on the way: made when something in it is wanted.
    Later(Box<Entry>),
    /// It could not be made.
    Failed,
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
            self.path.truncate(level.path_length);
            match level.entries.next() {
                Some(Ok(entry)) => self.meet(entry, window)?,
                Some(Err(lost)) if lost.error.is_damage() => {
                    // Whatever is there may be what is lost.
                    level.extra = None;
                    self.target.findings.lose(lost.entries, self.path.clone(), in_words_of_run(&lost));
                }
                Some(Err(lost)) => return Err(lost.error),
                None => self.leave(),
            }
        }
        Ok(())
    }

    fn leave(&mut self) {
        let Some(Level { standing: Standing::There(directory), extra, .. }) = self.levels.pop() else { return };
        if let Some(extra) = extra {
            directory.expect(extra);
        }
        directory.release(self.target);
    }

    fn root(&mut self, root: Root, window: &mut Window) -> Result<()> {
        let mut entry = root.selected.entry;
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
                crate::target::add(&self.target.restored.directories, 1);
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

    /// Takes an entry of the directory that is being walked, if it is wanted.
    fn meet(&mut self, entry: Entry, window: &mut Window) -> Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if let Some(extra) = &mut level.extra {
            extra.know(&entry.name);
        }
        let is_wanted = level.is_wanted;
        join(&mut self.path, &entry.name);
        let choice = self.choose(is_wanted, matches!(entry.node, Node::Directory { .. }));
        if let (Choice::OnTheWay, &Node::Directory { tree }) = (choice, &entry.node) {
            if !self.may_lead() {
                return Ok(());
            }
            let flags = entry.flags;
            let is_there = self.target.deletes() && self.is_there(&entry);
            self.enter(Standing::Later(Box::new(entry)), tree, flags, false)?;
            if is_there {
                // What is to be deleted in it is wanted too.
                self.standing()?;
            }
            return Ok(());
        }
        if choice != Choice::Wanted {
            return Ok(());
        }
        match self.standing()? {
            Some(directory) => self.entry(&directory, entry, window),
            None => Ok(()),
        }
    }

    fn choose(&self, is_wanted: bool, is_directory: bool) -> Choice {
        let patterns = &self.target.patterns;
        if patterns.is_empty() {
            return Choice::Wanted;
        }
        match self.target.choose(&patterns.matched(&self.path, self.below_root(), is_directory)) {
            Choice::OnTheWay if is_wanted => Choice::Wanted,
            choice => choice,
        }
    }

    /// Tells whether anything below the directory that is looked at may be wanted.
    fn may_lead(&self) -> bool {
        self.target.patterns.may_lead(&self.path, self.below_root())
    }

    /// The path that is looked at, from its root on.
    fn below_root(&self) -> &[u8] {
        let below = self.path.get(self.root_length..).unwrap_or_default();
        below.strip_prefix(b"/").unwrap_or(below)
    }

    /// Tells whether a directory of the one that is being walked is there already.
    fn is_there(&self, entry: &Entry) -> bool {
        let Some(Level { standing: Standing::There(directory), .. }) = self.levels.last() else { return false };
        let found = directory.existing(self.target, &entry.name).ok().flatten();
        found.is_some_and(|stat| crate::system::kind(&stat) == rustix::fs::FileType::Directory)
    }

    /// The directory that is being walked, made now with those above it if it was only on the way.
    fn standing(&mut self) -> Result<Option<Arc<Directory>>> {
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

    fn directory(&self, parent: &Arc<Directory>, mut entry: Entry) -> Result<Option<Arc<Directory>>> {
        self.read_attributes(parent, &mut entry)?;
        let name = entry.name.clone();
        let enters = self.place == Place::Original || self.target.looks();
        let existing = if enters { Existing::Enter } else { Existing::Refuse };
        parent.child(self.target, &name, Some(entry), existing)
    }

    fn entry(&mut self, directory: &Arc<Directory>, mut entry: Entry, window: &mut Window) -> Result<()> {
        // Trees are checked when they are read; that no name leads out of its directory is worth asking twice.
        if let Err(what) = check_name(NameRule::Component, &entry.name) {
            let path = directory.path_of(&entry.name);
            self.target.findings.note(FindingKind::Unwritable, path, format!("its name {what}"));
            directory.miss();
            return Ok(());
        }
        if let Node::Directory { tree } = entry.node {
            let flags = entry.flags;
            return match self.directory(directory, entry)? {
                Some(child) => self.enter(Standing::There(child), tree, flags, true),
                None => Ok(()),
            };
        }
        if matches!(entry.node, Node::File { .. }) && temporary::is_temporary(&entry.name) {
            let message = "a restore that was interrupted had left it: it is no file of its own";
            self.target.findings.note(FindingKind::Skipped, directory.path_of(&entry.name), message);
            return Ok(());
        }
        self.read_attributes(directory, &mut entry)?;
        let origin = match self.links.meet(directory, &entry) {
            _ if self.target.is_reading_back => None,
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
            let begun = begin::file(self.target, directory, entry, origin)?;
            if let Some(file) = &begun {
                let looked = file.look_for_losses(self.chunks, self.target, &content);
                looked.inspect_err(|_| file.abandon(self.target))?;
            }
            self.cursor = begun.map(|file| Cursor::new(file, content));
            return Ok(());
        }
        let made = node::make(self.target, directory, &entry)?;
        if let Some(origin) = origin {
            made.map_or_else(|| origin.failed(), |identity| origin.complete(identity));
        }
        Ok(())
    }

    /// Begins to walk a directory, whose path is the one that is looked at.
    fn enter(&mut self, standing: Standing, tree: ChunkId, flags: EntryFlags, is_wanted: bool) -> Result<()> {
        match TreeReader::open(NameRule::Component, tree, self.read) {
            Ok(entries) => {
                // A directory that could not be listed stands empty, which does not mean that it was; and what was left out
                // by choice is no evidence that it was not there, unless the caller insists.
                let is_partial = flags.contains(EntryFlags::NAMES_LEFT_OUT) && !self.target.deletes_left_out();
                let is_known = !flags.contains(EntryFlags::CONTENT_UNREAD) && !is_partial;
                if is_partial && self.target.deletes() {
                    let path = escape(&self.path);
                    let note = format!(
                        "{path}: nothing is deleted, for names were left out of it by choice when it was taken"
                    );
                    self.target.findings.observer().event(&Event::Note(&note));
                }
                let extra = (self.target.deletes() && is_known).then(|| Extra::new(self.root_length, is_wanted));
                self.levels.push(Level { standing, entries, path_length: self.path.len(), is_wanted, extra });
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
