//! Makes the index whole again from the directories of the packs.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use lbak_core::{
    backend::{BackendErrorKind, Folder, ObjectName},
    codec::{Header, Kind},
    error::{Error, Result},
    id::{PackId, SegmentId, SessionId},
    index::{Counted, Index, PackRow, Segment, SegmentBuilder},
    observe::Stage,
    pack::{Directory, read_directory},
    repository::Repository,
    store::{chunk_rows, list_names, put_object},
};
use rayon::prelude::*;

use super::{
    IndexRepairReport, RepairOptions,
    asking::{really, twice, undecided_sessions},
    authority::Authority,
    carried,
};
use crate::{
    VerifyOptions,
    data::fitting_records,
    ledger::Ledger,
    misread::tell_misread,
    packs::{ListedPack, Packs},
    segments::{Named, judge_segment, judge_segments},
};

/// Records of one new segment: 21 MB while they are collected, and as much again while they are sealed.
const SEGMENT_RECORDS: usize = 1 << 19;

/// How often it is begun anew because somebody else finished a round meanwhile.
const MOST_TRIES: u32 = 8;

/// Reads every pack's directory and writes segments for what no sound segment tells of.
///
/// Sound segments stay. Damaged ones stay too, but count no more: the next `fin` lists them as replaced, and what still opens of
/// them about packs that nothing else tells of is carried over. Snapshots can be taken and restored meanwhile.
///
/// # Errors
/// [`Error::TooLate`] while space is being reclaimed, [`Error::Newer`], [`Error::Store`] when the store does not answer,
/// [`Error::Cancelled`]: then the index is as it was.
pub fn repair_index(repository: &Repository, options: &RepairOptions) -> Result<IndexRepairReport> {
    let repository = &repository.as_stored().for_one_run();
    let begun = Instant::now();
    let looking = options.looking();
    for _ in 0..MOST_TRIES {
        let session = if options.dry_run { None } else { Some(repository.announce_only(&options.announcement())?) };
        let ledger = Ledger::new(&looking);
        let outcome = repository.workers().install(|| Rebuilding::new(repository, &ledger, session)?.run());
        if let Some(session) = session {
            let reason = outcome.as_ref().map_or_else(ToString::to_string, |_| "the index was repaired".to_owned());
            repository.abandon(session, &options.program(), &reason);
        }
        if let Some(mut report) = outcome? {
            report.damage = ledger.finish().damage;
            report.misread = tell_misread(repository, &*options.observer);
            report.elapsed = begun.elapsed();
            return Ok(report);
        }
    }
    Err(Error::SessionsLost { times: MOST_TRIES, place: repository.backend().describe().place })
}

struct Rebuilding<'a> {
    repository: &'a Repository,
    ledger: &'a Ledger<'a>,
    /// `None` in a dry run.
    session: Option<SessionId>,
    authority: Authority,
    /// Sessions that may still put segments of their own.
    undecided: BTreeSet<SessionId>,
    /// Segments that counted and do not any more.
    aside: BTreeSet<SegmentId>,
    new: Mutex<New>,
}

/// What is collected for new segments.
#[derive(Default)]
struct New {
    builder: SegmentBuilder,
    /// Packs whose rows are in it, or in segments that were put.
    packs: BTreeSet<PackId>,
    segments: BTreeSet<SegmentId>,
    chunks: u64,
}

/// Segments by whether they can be relied on.
struct Judged {
    sound: Vec<Arc<Segment>>,
    unsound: Vec<Arc<Segment>>,
}

/// What the directories told.
#[derive(Default)]
struct Compared {
    /// Packs that sound segments tell wrong things about.
    wrong: BTreeSet<PackId>,
    /// Packs whose directories do not open.
    closed: BTreeSet<PackId>,
    /// Packs that are left to sessions that are under way.
    left: u64,
}

impl<'a> Rebuilding<'a> {
    fn new(repository: &'a Repository, ledger: &'a Ledger<'a>, session: Option<SessionId>) -> Result<Self> {
        let authority = Authority::read(repository, ledger)?;
        // Before segments and packs are listed: whoever has decided by now has put all of its segments.
        let undecided = undecided_sessions(repository, authority.live())?;
        let (aside, new) = (BTreeSet::new(), Mutex::default());
        Ok(Self { repository, ledger, session, authority, undecided, aside, new })
    }

    /// `None` when somebody else finished the round: what was seen may be out of date.
    fn run(mut self) -> Result<Option<IndexRepairReport>> {
        self.ledger.stage(Stage::Structure);
        let (judged, packs) = self.judge()?;
        let Judged { mut sound, mut unsound } = judged;
        // Beside damage nobody can tell a segment that is to come from one that is gone.
        let is_left = unsound.is_empty() && self.aside.is_empty() && !self.authority.is_lost();
        let mut compared = self.compare(&sound, &packs, true, is_left)?;
        if !compared.wrong.is_empty() {
            // Asked anew, by an index that has seen nothing: a segment that was read wrongly once is not set aside.
            self.new = Mutex::default();
            self.ledger.set_aside("index");
            compared = self.compare(&sound, &packs, true, is_left)?;
        }
        if !compared.wrong.is_empty() {
            let mut right = Vec::new();
            for segment in sound {
                let is_wrong = segment.pack_rows()?.iter().any(|row| compared.wrong.contains(&row.id));
                if is_wrong { unsound.push(segment) } else { right.push(segment) }
            }
            sound = right;
            // What only they told of is told by the directories now.
            compared = self.compare(&sound, &packs, false, false)?;
        }
        let (carried, unknown) = self.carry_over(&sound, &unsound, &packs, &compared.closed)?;
        self.aside.extend(unsound.iter().filter_map(|segment| id_of(segment.name())));
        self.flush(1)?;

        let new = self.new.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_changed = !new.packs.is_empty() || !self.aside.is_empty() || self.authority.is_stuck();
        let report = IndexRepairReport {
            is_changed,
            packs: packs.listed().len() as u64,
            packs_indexed: (new.packs.len() - carried) as u64,
            chunks_indexed: new.chunks,
            packs_carried: carried as u64,
            packs_unknown: unknown,
            packs_left: compared.left,
            segments_set_aside: self.aside.len() as u64,
            segments_written: new.segments.len() as u64,
            ..IndexRepairReport::default()
        };
        match self.session {
            Some(session) if is_changed => {
                let is_ours =
                    self.authority.finish(self.repository, self.ledger, session, &new.segments, &self.aside)?;
                Ok(is_ours.then_some(report))
            }
            _ => Ok(Some(report)),
        }
    }

    /// Tells the segments that can be relied on from the others; lists the packs after that, so that what is named is listed.
    fn judge(&mut self) -> Result<(Judged, Packs)> {
        let backend = self.repository.backend();
        let counted = self.authority.counted();
        let mut segments = Vec::new();
        for (name, size) in list_names(&**backend, Folder::Index.prefix())? {
            if !self.is_asked(&name, &counted) {
                continue;
            }
            // What is set aside is so for good: only what is wrong twice is.
            let opened = twice(self.repository, &name, || self.open(&name, size));
            match opened {
                Ok(segment) if counted.buried.contains(&segment.session()) => {}
                Ok(segment) => segments.push(Arc::new(segment)),
                Err(error) => {
                    let error = really(&**backend, &name, size, error, self.ledger)?;
                    self.ledger.blame(error)?;
                    self.aside.extend(id_of(&name));
                }
            }
        }
        self.find_missing(&counted, &segments)?;
        let packs = Packs::list(&**backend)?;
        let judged = Mutex::new(Judged { sound: Vec::new(), unsound: Vec::new() });
        let take = |segment: &Arc<Segment>, named: Named, is_sound: bool| {
            let mut judged = judged.lock().unwrap_or_else(PoisonError::into_inner);
            // Without authority nothing says that a segment counts.
            if !is_sound || self.authority.is_lost() {
                judged.unsound.push(Arc::clone(segment));
                return;
            }
            judged.sound.push(Arc::clone(segment));
            for (row, records) in named.into_values() {
                packs.name(&row, records);
            }
        };
        judge_segments(self.repository, &segments, self.ledger, &take)?;
        let unsound = std::mem::take(&mut judged.lock().unwrap_or_else(PoisonError::into_inner).unsound);
        for segment in unsound {
            let (segment, named, is_sound) = self.judge_again(segment)?;
            take(&segment, named, is_sound);
        }
        let judged = judged.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((judged, packs))
    }

    /// Bad memory or a bad cable spoils a sound segment once, and what is set aside is so for good: reads it a second time.
    fn judge_again(&self, segment: Arc<Segment>) -> Result<(Arc<Segment>, Named, bool)> {
        let name = segment.name();
        let quiet = VerifyOptions::default();
        let again = Ledger::new(&quiet);
        self.ledger.check_cancelled()?;
        let size = segment.summary().stored_length();
        self.repository.backend().forget_cached(name);
        let opened = again.outlive(self.open(name, size))?;
        let judged = match &opened {
            Some(opened) => judge_segment(self.repository, opened, size, &again)?,
            None => (Named::new(), false),
        };
        let (Some(opened), (named, true)) = (opened, judged) else { return Ok((segment, Named::new(), false)) };
        self.ledger.set_aside(&name.to_string());
        self.repository.misread().note(name);
        Ok((Arc::new(opened), named, true))
    }

    /// Tells whether a segment is looked into: without authority, each that was not replaced for certain.
    fn is_asked(&self, name: &ObjectName, counted: &Counted) -> bool {
        match name {
            ObjectName::Segment(id) => !counted.replaced.contains(id),
            ObjectName::MergedSegment(id) => {
                (self.authority.is_lost() || counted.merged.contains(id)) && !counted.replaced.contains(id)
            }
            _ => false,
        }
    }

    /// Merged segments that should count and are not there count no more: asked for by name, not taken from a list (rule I9).
    fn find_missing(&mut self, counted: &Counted, segments: &[Arc<Segment>]) -> Result<()> {
        let found: BTreeSet<&ObjectName> = segments.iter().map(|segment| segment.name()).collect();
        for id in counted.merged.difference(&counted.replaced) {
            let name = ObjectName::MergedSegment(*id);
            if found.contains(&name) || self.aside.contains(id) {
                continue;
            }
            match self.repository.backend().get_range(&name, 0, 1) {
                Err(error) if error.kind == BackendErrorKind::NotFound => {
                    self.ledger.damage(name, "it is not there, though the newest fin names it");
                    self.aside.insert(*id);
                }
                Err(error) => return Err(Error::store("read", name, error)),
                Ok(_) => return Err(Error::damaged("index/", format!("{name} is there and was not listed"))),
            }
        }
        Ok(())
    }

    /// Compares every pack's directory with the sound segments; what they do not tell of is collected.
    fn compare(
        &self,
        sound: &[Arc<Segment>],
        packs: &Packs,
        are_records_counted: bool,
        is_left: bool,
    ) -> Result<Compared> {
        let index = index_of(sound, self.repository)?;
        let compared = Mutex::new(Compared::default());
        let note = || compared.lock().unwrap_or_else(PoisonError::into_inner);
        packs.listed().par_iter().with_max_len(16).try_for_each(|pack| {
            self.ledger.check_cancelled()?;
            if self.collected().packs.contains(&pack.id) || self.authority.is_leaving(&pack.id) {
                return Ok(());
            }
            let backend = &**self.repository.backend();
            let name = ObjectName::Pack(pack.id);
            let read = || read_directory(backend, self.repository.codec(), pack.id, pack.size);
            let read = twice(self.repository, &name, read);
            let Some((header, directory)) = self.ledger.outlive(read)? else {
                note().closed.insert(pack.id);
                return Ok(());
            };
            let chunks: usize = directory.blocks.iter().map(|block| block.chunks.len()).sum();
            let (fitting, unnamed) = match fitting_records(&index, pack, &header, &directory) {
                Err(error) if error.is_damage() => (0, chunks as u64),
                told => told?,
            };
            let is_wrong = are_records_counted && fitting < u64::from(pack.records());
            if is_wrong {
                note().wrong.insert(pack.id);
            }
            // Its writer is about to put the segment that names it.
            if unnamed > 0 && !is_wrong && is_left && self.undecided.contains(&header.session) {
                note().left += 1;
                return Ok(());
            }
            if unnamed > 0 || is_wrong {
                self.add(pack, header, &directory)?;
            }
            Ok(())
        })?;
        Ok(compared.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, pack: &ListedPack, header: Header, directory: &Directory) -> Result<()> {
        let rows = chunk_rows(directory);
        let stored_length = u32::try_from(pack.size).map_err(|_| Error::damaged(pack.name(), "it is too long"))?;
        let row = PackRow { id: pack.id, stored_length, header };
        {
            let mut new = self.collected();
            if !rows.is_empty() && new.packs.insert(pack.id) {
                if !self.undecided.contains(&header.session) {
                    self.ledger.damage("index", format!("chunks of {} are in no sound segment", pack.name()));
                }
                new.chunks += rows.len() as u64;
                new.builder.add_pack(row, &rows)?;
            }
        }
        self.flush(SEGMENT_RECORDS)
    }

    /// Takes over what damaged segments tell of packs that nothing else tells of. Returns how many those are, and the packs
    /// that nothing tells of at all.
    fn carry_over(
        &self,
        sound: &[Arc<Segment>],
        unsound: &[Arc<Segment>],
        packs: &Packs,
        closed: &BTreeSet<PackId>,
    ) -> Result<(usize, Vec<PackId>)> {
        let mut known = BTreeSet::new();
        if unsound.is_empty() && closed.is_empty() {
            return Ok((0, Vec::new()));
        }
        for segment in sound {
            known.extend(segment.pack_rows()?.iter().map(|row| row.id));
        }
        let mut carried = BTreeSet::new();
        for segment in unsound {
            // Segments of closed sessions may arrive after their packs were removed: nobody lost those.
            let may_be_buried = self.authority.may_be_buried(&segment.session());
            // A pack that is not listed is missing, or the list was cut short: either way it is not to be forgotten.
            let is_wanted = |pack: &PackId| {
                let is_wanted = match packs.get(pack) {
                    Some(_) => closed.contains(pack),
                    None => !may_be_buried,
                };
                is_wanted && !known.contains(pack) && !self.authority.is_leaving(pack)
            };
            for (pack, (row, rows)) in carried::rows_of(segment, &is_wanted, self.ledger)? {
                let mut new = self.collected();
                new.builder.add_pack(row, &rows)?;
                new.packs.insert(pack);
                new.chunks += rows.len() as u64;
                carried.insert(pack);
                drop(new);
                self.flush(SEGMENT_RECORDS)?;
            }
        }
        let unknown = closed.iter().filter(|pack| !known.contains(pack) && !carried.contains(pack)).copied().collect();
        Ok((carried.len(), unknown))
    }

    /// Puts a segment when so many records have come together.
    fn flush(&self, records: usize) -> Result<()> {
        let mut new = self.collected();
        if new.builder.record_count() < records {
            return Ok(());
        }
        let builder = std::mem::take(&mut new.builder);
        // Held while it is put: others would only collect more.
        let Some(session) = self.session else { return Ok(()) };
        let (name, sealed) = builder.finish(self.repository.codec(), Kind::MergedSegment, session)?;
        put_object(&**self.repository.backend(), &name, &sealed)?;
        new.segments.extend(id_of(&name));
        Ok(())
    }

    fn open(&self, name: &ObjectName, size: u64) -> Result<Segment> {
        open_segment(self.repository, name, size)
    }

    fn collected(&self) -> MutexGuard<'_, New> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_of(name: &ObjectName) -> Option<SegmentId> {
    match name {
        ObjectName::Segment(id) | ObjectName::MergedSegment(id) => Some(*id),
        _ => None,
    }
}

fn open_segment(repository: &Repository, name: &ObjectName, size: u64) -> Result<Segment> {
    Ok(Segment::open(repository.backend(), repository.codec(), name, size)?.noting(repository.misread()))
}

/// An index of these segments alone.
fn index_of(segments: &[Arc<Segment>], repository: &Repository) -> Result<Index> {
    let index = Index::new();
    for segment in segments {
        let size = segment.summary().stored_length();
        index.add(open_segment(repository, segment.name(), size)?);
    }
    Ok(index)
}
