//! Opens the segments that count, or copies that stand for them.

use std::{collections::BTreeSet, sync::Arc, thread};

use super::{
    copies::{Copies, Used},
    lookup::Index,
    segment::{Segment, is_segment_at_fault},
    shelf::{Held, Shelf},
};
use crate::{
    backend::{Backend, Folder, Misread, ObjectName},
    codec::Codec,
    error::{Error, Result},
    id::{SegmentId, SessionId},
};

/// Segments are opened by this many threads: each waits for the store.
const OPENERS: usize = 8;

/// Which segments count: what the newest `fin` says. The default is that of a repository without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The merged segments that count, and no others.
    pub merged: BTreeSet<SegmentId>,
    /// Segments whose records stand in merged ones.
    pub replaced: BTreeSet<SegmentId>,
    /// Closed sessions whose packs were removed.
    pub buried: BTreeSet<SessionId>,
}

impl Counted {
    fn counts(&self, name: &ObjectName) -> bool {
        match name {
            ObjectName::Segment(id) => !self.replaced.contains(id),
            ObjectName::MergedSegment(id) => self.merged.contains(id) && !self.replaced.contains(id),
            _ => false,
        }
    }
}

/// What [`Index::load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The segments that could be opened.
    pub index: Index,
    /// Trouble with the others: damaged, missing, or [`Error::Newer`] (whoever collects stops there).
    pub damaged: Vec<Error>,
}

impl Index {
    /// Opens every segment that counts: one listing, one small read for each.
    ///
    /// A damaged segment is reported and left out: what it alone names will be stored again, or is lost to a restore until the
    /// index is rebuilt from the packs.
    ///
    /// # Errors
    /// When the store fails otherwise: its silence is no proof that a segment is gone.
    pub fn load(backend: &Arc<dyn Backend>, codec: &Codec, counted: &Counted) -> Result<Loaded> {
        Self::load_with(backend, codec, counted, None, &Misread::default())
    }

    /// The same with merged copies, where there are some, in place of the segments that they stand for; segments that no copy stands
    /// for become one when that is worth it. [`segments`](Self::segments) shows the copies then: whoever asks for what is
    /// stored uses [`load`](Self::load). What is read wrongly once, of segments or of copies, now or later, is noted in `misread`.
    ///
    /// # Errors
    /// As for [`load`](Self::load): copies that do not open, or can not be made, are no error.
    pub fn load_with(
        backend: &Arc<dyn Backend>,
        codec: &Codec,
        counted: &Counted,
        copies: Option<&Copies>,
        misread: &Misread,
    ) -> Result<Loaded> {
        let mut names = list(backend, counted)?;
        let mut damaged: Vec<Error> = counted
            .merged
            .difference(&counted.replaced)
            .map(|id| ObjectName::MergedSegment(*id))
            .filter(|name| names.range((name.clone(), 0)..).next().is_none_or(|(found, _)| found != name))
            .map(|name| Error::damaged(name, "it is not there, though the newest fin names it"))
            .collect();
        let mut used = copies.map(|copies| copies.usable(backend, codec, counted, &names, misread)).unwrap_or_default();
        let covered: BTreeSet<ObjectName> = used.iter().flat_map(Used::covers).collect();
        names.retain(|(name, _)| !covered.contains(name));
        let names: Vec<(ObjectName, u64)> = names.into_iter().collect();
        let mut segments = Vec::with_capacity(names.len());
        for opened in open_all(backend, codec, &names, misread)? {
            match opened {
                Ok(segment) if counted.buried.contains(&segment.session()) => {}
                Ok(segment) => segments.push(Arc::new(segment)),
                Err(error) if is_segment_at_fault(&error) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(copies) = copies {
            // Without more copies everything is as true, only slower (rule I5).
            let _ = copies.extend(backend, codec, &mut used, &mut segments, misread);
        }
        Ok(Loaded { index: Self::of(shelf(&used, segments)), damaged })
    }
}

/// The segments that count, with their sizes.
fn list(backend: &Arc<dyn Backend>, counted: &Counted) -> Result<BTreeSet<(ObjectName, u64)>> {
    let mut names = BTreeSet::new();
    let prefix = Folder::Index.prefix();
    backend
        .list(prefix, &mut |name, size| {
            names.extend(ObjectName::parse(name).filter(|name| counted.counts(name)).map(|name| (name, size)));
            Ok(())
        })
        .map_err(|source| Error::store("list", prefix, source))?;
    Ok(names)
}

/// Copies are the oldest, then merged segments, then sessions' own, of whose age nothing tells.
fn shelf(used: &[Used], mut segments: Vec<Arc<Segment>>) -> Shelf {
    segments.sort_by_cached_key(|segment| {
        let own = matches!(segment.name(), ObjectName::Segment(_));
        (own, segment.summary().smallest, segment.name().clone())
    });
    let mut shelf = Shelf::default();
    for group in used {
        group.segments.iter().for_each(|copy| shelf.push(Held::copy(Arc::clone(copy), &group.originals)));
    }
    segments.into_iter().for_each(|segment| shelf.push(Held::new(segment)));
    shelf
}

/// An index of exactly these segments; also whether all of them are in it.
pub(super) fn open_index(
    backend: &Arc<dyn Backend>,
    codec: &Codec,
    names: &[(ObjectName, u64)],
    misread: &Misread,
) -> Result<(Index, bool)> {
    let mut segments = Vec::with_capacity(names.len());
    for opened in open_all(backend, codec, names, misread)? {
        match opened {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(error) if is_segment_at_fault(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let is_whole = segments.len() == names.len();
    Ok((Index::of(shelf(&[], segments)), is_whole))
}

/// Opens the segments with several threads; what comes of each stands in its place.
fn open_all(
    backend: &Arc<dyn Backend>,
    codec: &Codec,
    names: &[(ObjectName, u64)],
    misread: &Misread,
) -> Result<Vec<Result<Segment>>> {
    let open_one = |name: &ObjectName, size: u64| Ok(Segment::open(backend, codec, name, size)?.noting(misread));
    let open = |share: &[(ObjectName, u64)]| -> Vec<Result<Segment>> {
        share.iter().map(|(name, size)| open_one(name, *size)).collect()
    };
    let share = names.len().div_ceil(OPENERS);
    if share <= 1 {
        return Ok(open(names));
    }
    thread::scope(|scope| {
        let mut openers = Vec::with_capacity(OPENERS);
        for share in names.chunks(share) {
            let opener = thread::Builder::new().name("lbak-index".into()).spawn_scoped(scope, || open(share));
            openers.push(opener.map_err(|source| Error::System { what: "a thread", source })?);
        }
        let mut opened = Vec::with_capacity(names.len());
        for opener in openers {
            opened.extend(opener.join().map_err(|_| Error::Panicked { doing: "opening the index" })?);
        }
        Ok(opened)
    })
}
