//! Walks the trees depth first, makes directories and what is no file, and fills windows with the rest.
//!
//! It runs in a thread of its own and is one window ahead of those who write.

mod root;
mod standing;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, mpsc::SyncSender},
};

use lbak_core::{
    browse::{Chunks, in_words, join},
    error::Result,
    id::{ChunkId, ChunkKind},
    observe::{Action, FindingKind},
    patterns::Choice,
    snapshot::Extent,
    tree::{Entry, NameRule, Node, ReadChunk, TreeReader, check_name},
};

use self::standing::Standing;
use crate::{
    attributes, begin,
    directory::Directory,
    extra::Extra,
    links::{Link, Links, Name},
    lost, node,
    options::Place,
    roots::Root,
    target::Target,
    temporary,
    window::{Cursor, Window},
};

/// What the walk needs to know.
pub(crate) struct Plan<'a> {
    pub(crate) chunks: &'a Chunks,
    pub(crate) target: &'a Target,
    pub(crate) top: Arc<Directory>,
    /// What becomes of it when it stands for a root.
    pub(crate) top_action: Action,
    pub(crate) roots: Vec<Root>,
    /// How much there may be.
    pub(crate) extent: Extent,
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
        top_action: plan.top_action,
        place: plan.place,
        roots: plan.roots.into(),
        extent: plan.extent,
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
    top_action: Action,
    place: Place,
    roots: VecDeque<Root>,
    extent: Extent,
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
    tree: ChunkId,
    entries: TreeReader<'a>,
    /// Names that files which lost bytes can not be given; read when there is one.
    partial: Option<BTreeSet<Vec<u8>>>,
    path_length: usize,
    /// All in it is wanted that is not excluded.
    is_wanted: bool,
    /// The names in it, when others are to be deleted.
    extra: Option<Extra>,
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
                Some(Ok(entry)) => {
                    self.extent.meet(&entry)?;
                    self.meet(entry, window)?;
                }
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
        if lost::is_partial(&entry) {
            self.set_apart(directory, &mut entry)?;
        }
        attributes::read_into(&mut entry, self.target, directory, self.read)?;
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
}

impl Walk<'_> {
    /// Gives a file that lost bytes a name that nothing else in its directory has.
    fn set_apart(&mut self, directory: &Directory, entry: &mut Entry) -> Result<()> {
        let mut of_roots = BTreeSet::new();
        let taken = match self.levels.last_mut() {
            Some(Level { partial: Some(taken), .. }) => taken,
            Some(level) => level.partial.insert(partial_names(level.tree, self.read)?),
            None => {
                of_roots.extend(self.roots.iter().filter_map(|root| root.names.last().cloned()));
                &mut of_roots
            }
        };
        lost::set_apart(self.target, directory, entry, taken);
        Ok(())
    }
}

/// The names in a directory of the snapshot that files which lost bytes might be given.
fn partial_names(tree: ChunkId, read: &ReadChunk<'_>) -> Result<BTreeSet<Vec<u8>>> {
    let mut names = BTreeSet::new();
    for entry in TreeReader::open(NameRule::Component, tree, read)? {
        match entry {
            Ok(entry) if lost::is_partial_name(&entry.name) => _ = names.insert(entry.name),
            Ok(_) => {}
            // What is lost there is restored under no name.
            Err(lost) if lost.error.is_damage() => {}
            Err(lost) => return Err(lost.error),
        }
    }
    Ok(names)
}

fn in_words_of_run(lost: &lbak_core::tree::LostRun) -> String {
    match &lost.after {
        Some(after) => format!("behind \"{}\", {}", lbak_core::error::escape(after), in_words(lost)),
        None => in_words(lost),
    }
}
