//! The verb `dump`: a file, or an archive of a directory, as a stream.
//!
//! ```text
//! plan (a thread of its own): trees → parts → windows
//!   → fetch (another one, and all workers): every block of a window opened once, every chunk hashed
//!     → deliver (the caller): bytes in their order, while the next window is fetched
//! ```
//!
//! Memory is that of two windows and of the workers' blocks, however large the file. A stream stops before the first byte
//! that would be wrong: a loss is never zeros, and an archive that was broken off does not look whole to any reader.

mod command;
mod deliver;
mod fetch;
mod header;
mod keeper;
mod part;
mod plan;
mod sparse;

use std::{
    io::Write,
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use lbak_core::{
    browse::{Chunks, Findings, Selected, select},
    error::{Error, Result, escape},
    id::{ChunkId, ChunkKind},
    observe::{Cancellation, Event, Finding, Observer, Progress, Silent, Stage},
    repository::Repository,
    snapshot::{Extent, FindingCount, Manifest},
    tree::Node,
};

pub use command::dump_to_command;

use self::{
    deliver::{Check, Delivery, Writer},
    fetch::{Depth, Fetcher},
    part::Feed,
    plan::{Member, Subject},
};
use crate::{options::Place, roots};

/// How something is streamed.
#[derive(Clone)]
pub struct DumpOptions {
    /// The part of the snapshot that is wanted: an absolute path of the source, or one below its single root.
    pub path: Option<Vec<u8>>,
    /// What the stream is.
    pub form: DumpForm,
    /// What is checked before the first byte is written.
    pub check: DumpCheck,
    /// Hears of progress and findings.
    pub observer: Arc<dyn Observer>,
    /// Stops it.
    pub cancellation: Cancellation,
    /// Bytes that are fetched at once: larger windows keep more workers busy.
    pub window_bytes: usize,
}

/// What a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpForm {
    /// The bytes of a file; an archive of anything else.
    #[default]
    Auto,
    /// A tar archive (POSIX.1-2001), also of a single file.
    ///
    /// Names are relative: below a single directory, which is itself `./`; of several paths, the whole path without its
    /// first slash. Equal snapshots give equal archives. Attributes and access lists are `SCHILY.xattr` records, holes
    /// are kept as in GNU tar's format 1.0, sockets are left out.
    Tar,
}

/// What is checked before the first byte is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpCheck {
    /// Nothing.
    Nothing,
    /// All trees, and that the index knows every chunk: no file is read for it.
    #[default]
    Index,
    /// Everything: the whole stream is read once for nothing but this.
    Everything,
}

impl Default for DumpOptions {
    fn default() -> Self {
        Self {
            path: None,
            form: DumpForm::default(),
            check: DumpCheck::default(),
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
            window_bytes: 24 << 20,
        }
    }
}

impl std::fmt::Debug for DumpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpOptions")
            .field("path", &self.path)
            .field("form", &self.form)
            .field("check", &self.check)
            .field("window_bytes", &self.window_bytes)
            .finish_non_exhaustive()
    }
}

/// What was streamed.
#[derive(Clone, Debug, Default)]
pub struct DumpReport {
    /// It was an archive.
    pub is_archive: bool,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Files, directories and whatever else is in it.
    pub entries: u64,
    /// Findings by kind: sockets that were left out, damage that did no harm.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

/// Writes a file of a snapshot, or an archive of what lies at a path of it, to `out`.
///
/// When it returns `Ok`, everything was written and `out` was flushed; nothing was left out but what is in the report.
///
/// # Errors
/// Damage ends the stream before the first wrong byte; what was written until then is right, and the error tells how much
/// that is. [`DumpCheck`] says what is found before anything is written. [`Error::NotInSnapshot`]; [`Error::Invalid`] for the
/// bytes of something that has none; [`Error::Target`] when `out` refuses; [`Error::Store`] when the store does not answer;
/// [`Error::Cancelled`].
pub fn dump(
    repository: &Repository,
    snapshot: &Manifest,
    options: &DumpOptions,
    out: &mut dyn Write,
) -> Result<DumpReport> {
    let begun = Instant::now();
    let prepared = Prepared::new(repository, snapshot, options)?;
    prepared.check(options.check)?;
    let (bytes, entries) = prepared.write(out, AfterError::BreakOff)?;
    Ok(prepared.report(bytes, entries, begun))
}

/// What becomes of a stream that ends too early.
#[derive(Clone, Copy, Debug)]
enum AfterError {
    /// Its reader gets what is right, and can tell that it is not whole.
    BreakOff,
    /// Its reader gets no more.
    Discard,
}

/// What is to be streamed, found in its snapshot.
struct Prepared<'a> {
    options: &'a DumpOptions,
    chunks: Chunks,
    findings: Findings,
    subject: Subject,
    extent: Extent,
    expected: Progress,
}

impl<'a> Prepared<'a> {
    fn new(repository: &Repository, snapshot: &Manifest, options: &'a DumpOptions) -> Result<Self> {
        options.cancellation.check()?;
        options.observer.event(&Event::Stage(Stage::Opening));
        let findings = Findings::new(options.observer.clone());
        let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
        let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
        let selected = select(snapshot, options.path.as_deref(), &read, &findings)?;
        refuse_losses(&findings)?;
        let is_single = options.path.is_some() || snapshot.paths.len() == 1 && selected.len() == 1;
        let subject = subject(selected, is_single, options.form, &findings)?;
        let expected = match &subject {
            Subject::File { entry, .. } => Progress { total_bytes: Some(entry.size), ..Progress::default() },
            Subject::Archive(_) => Progress::default(),
        };
        Ok(Self { options, chunks, findings, subject, extent: Extent::of(snapshot), expected })
    }

    /// Goes through all of it without writing anything; every file that is lost is a finding.
    fn check(&self, check: DumpCheck) -> Result<()> {
        let (depth, stage) = match check {
            DumpCheck::Nothing => return Ok(()),
            DumpCheck::Index => (Depth::Known, Stage::Planning),
            DumpCheck::Everything => (Depth::Read, Stage::ReadingData),
        };
        self.options.observer.event(&Event::Stage(stage));
        self.run(depth, &mut Check::new(&self.findings, self.expected))?;
        refuse_losses(&self.findings)
    }

    /// Writes it; returns how many bytes and entries there were.
    fn write(&self, out: &mut dyn Write, after_error: AfterError) -> Result<(u64, u64)> {
        self.options.observer.event(&Event::Stage(Stage::Restoring));
        let mut writer = Writer::new(out, &self.findings, self.is_archive(), self.expected);
        match self.run(Depth::Read, &mut writer).and_then(|()| writer.finish()) {
            Ok(()) => Ok((writer.bytes(), writer.entries())),
            Err(error) => {
                match after_error {
                    AfterError::BreakOff => writer.break_off(),
                    AfterError::Discard => writer.discard(),
                }
                Err(error)
            }
        }
    }

    /// Plans and fetches ahead of whoever takes the windows.
    fn run(&self, depth: Depth, delivery: &mut dyn Delivery) -> Result<()> {
        let cancellation = &self.options.cancellation;
        thread::scope(|scope| {
            let (give_window, take_window) = sync_channel(0);
            let (give_fetched, take_fetched) = sync_channel(0);
            let planner = spawn(scope, "lbak-dump", move || {
                let read = |kind: ChunkKind, id: &ChunkId| self.chunks.read(kind, id);
                let mut feed = Feed::new(self.options.window_bytes.max(1), &give_window, cancellation);
                if let Err(error) = plan::plan(&self.subject, &mut self.extent.clone(), &read, &mut feed) {
                    // Whoever stopped taking windows knows why.
                    let _ = give_window.send(Err(error));
                }
            })?;
            let fetcher = spawn(scope, "lbak-fetch", move || {
                let mut fetcher = Fetcher::new(&self.chunks, cancellation, depth);
                for window in take_window {
                    let fetched = window.and_then(|window| fetcher.fetch(window));
                    let is_last = fetched.is_err();
                    if give_fetched.send(fetched).is_err() || is_last {
                        return;
                    }
                }
            })?;
            let mut delivered = Ok(());
            for fetched in &take_fetched {
                delivered = fetched.and_then(|fetched| {
                    cancellation.check()?;
                    delivery.take(&fetched)
                });
                if delivered.is_err() {
                    break;
                }
            }
            drop(take_fetched);
            let joined = [planner.join(), fetcher.join()];
            delivered?;
            if joined.iter().any(std::result::Result::is_err) {
                return Err(Error::Panicked { doing: "dumping" });
            }
            Ok(())
        })
    }

    fn is_archive(&self) -> bool {
        matches!(self.subject, Subject::Archive(_))
    }

    fn report(&self, bytes: u64, entries: u64, begun: Instant) -> DumpReport {
        self.chunks.tell_misread(&self.findings);
        let (finding_counts, findings) = self.findings.take();
        DumpReport { is_archive: self.is_archive(), bytes, entries, finding_counts, findings, elapsed: begun.elapsed() }
    }
}

fn spawn<'scope, 'env>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, ()>> {
    let spawned = thread::Builder::new().name(name.into()).spawn_scoped(scope, work);
    spawned.map_err(|source| Error::System { what: "a thread", source })
}

/// What was selected, as a file or as members of an archive.
fn subject(mut selected: Vec<Selected>, is_single: bool, form: DumpForm, findings: &Findings) -> Result<Subject> {
    if is_single
        && form == DumpForm::Auto
        && let Some(one) = selected.pop_if(|one| !matches!(one.entry.node, Node::Directory { .. }))
    {
        if let Node::File { .. } = one.entry.node {
            return Ok(Subject::File { path: one.path, entry: Box::new(one.entry) });
        }
        let path = escape(&one.path);
        let what = format!("\"{path}\" is no file and no directory: it can only be had in a tar archive");
        return Err(Error::Invalid { what });
    }
    let placed = roots::place(selected, is_single, Place::Contents, findings).roots;
    let member = |root: roots::Root| Member {
        name: root.names.join(&b'/'),
        path: root.selected.path,
        entry: root.selected.entry,
    };
    Ok(Subject::Archive(placed.into_iter().map(member).collect()))
}

/// A stream that would have to stop is not begun.
fn refuse_losses(findings: &Findings) -> Result<()> {
    match findings.lost() {
        0 => Ok(()),
        lost => {
            Err(Error::damaged("what was asked for", format!("{lost} of its entries are lost; nothing was written")))
        }
    }
}
