//! One stored segment: its summary in memory, filter and fences when it is first asked, pages one by one.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;

use super::{
    cache::{PageCache, PageKey, PlainPage, RowCache},
    filter::Filter,
    layout::{Fences, PAGES_FROM, Summary, parse_fences, parse_summary},
    record::{
        Entry, IdPrefix, PACKS_IN_PAGE, PAGE, PackRow, Page, RECORD, RECORDS_IN_PAGE, SEALED_PAGE, check_page,
        parse_pack, parse_pack_page, parse_page, records_in, records_of,
    },
    records::Records,
};
use crate::{
    backend::{Backend, BackendErrorKind, Misread, ObjectName, Parts},
    codec::{Codec, Domain, HEADER, Header, Kind, Opener},
    error::{Error, Result},
    id::{ChunkKind, SessionId},
};

/// A segment that was opened. Immutable and shared by threads.
#[derive(Debug)]
pub struct Segment {
    backend: Arc<dyn Backend>,
    name: ObjectName,
    object: String,
    header: Header,
    opener: Opener,
    summary: Summary,
    /// For single pages, where the store has something for that: opened when the first is read.
    parts: OnceLock<Option<Box<dyn Parts>>>,
    /// What tells which page to open; trouble with the stored bytes is remembered too, so that it is met once.
    guides: OnceLock<Result<Guides>>,
    /// Some part of it does not open: what it names may be hidden.
    is_hurt: AtomicBool,
    misread: Misread,
}

#[derive(Debug)]
struct Guides {
    filter: Filter,
    fences: Fences,
}

impl Segment {
    /// Opens the segment of that name and `size` with one read of its first 224 bytes.
    ///
    /// Whether the whole object still has the bytes that its name proves is left to `verify`; each part is authenticated when it is used.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is not what was written or its parts do not add up to `size`; [`Error::Newer`]; [`Error::Store`].
    pub fn open(backend: &Arc<dyn Backend>, codec: &Codec, name: &ObjectName, size: u64) -> Result<Self> {
        let kind = match name {
            ObjectName::Segment(_) => Kind::Segment,
            ObjectName::MergedSegment(_) => Kind::MergedSegment,
            _ => return Err(Error::Invalid { what: format!("{name} is no index segment") }),
        };
        let object = name.to_string();
        if size < PAGES_FROM as u64 {
            return Err(Error::damaged(&object, format!("it is only {size} bytes long")));
        }
        let misread = Misread::default();
        let (header, opener, summary) = misread.read_twice(&**backend, name, &mut || {
            let mut head = read(backend, name, 0, PAGES_FROM as u64)?;
            let header = Header::parse(&object, &head)?;
            if header.kind != kind {
                return Err(Error::damaged(&object, format!("it holds an object of kind {:?}", header.kind)));
            }
            let opener = codec.opener(&object, &header)?;
            let summary = opener.open(Domain::Summary, 0, &[], &mut head[HEADER..])?;
            let summary = parse_summary(&object, size, summary)?;
            Ok((header, opener, summary))
        })?;
        Ok(Self {
            backend: Arc::clone(backend),
            name: name.clone(),
            object,
            header,
            opener,
            summary,
            parts: OnceLock::new(),
            guides: OnceLock::new(),
            is_hurt: AtomicBool::new(false),
            misread,
        })
    }

    /// The same; what is read wrongly of it once, now or later, is noted there.
    #[must_use]
    pub fn noting(mut self, misread: &Misread) -> Self {
        let before = std::mem::replace(&mut self.misread, misread.clone());
        before.take().iter().for_each(|name| misread.note(name));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ObjectName {
        &self.name
    }

    /// Its name, for errors.
    pub(super) fn object(&self) -> &str {
        &self.object
    }

    /// The random bytes of its header: no other segment has them.
    pub(super) fn random(&self) -> [u8; 32] {
        self.header.random
    }

    /// The session that wrote it.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.header.session
    }

    /// Tells whether a part of it was met that does not open: packs that it names may hold chunks that nobody else names.
    #[must_use]
    pub fn is_hurt(&self) -> bool {
        self.is_hurt.load(Ordering::Relaxed)
    }

    /// Remembers that a part of it does not open.
    pub fn mark_hurt(&self) {
        self.is_hurt.store(true, Ordering::Relaxed);
    }

    /// How much it holds.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Every record in the order of ids, read in large pieces past the cache: for verify, statistics and merges.
    ///
    /// # Errors
    /// When the pack table can not be read; trouble with a page comes in its place among the records.
    pub fn records(&self) -> Result<Records<'_>> {
        Records::new(self)
    }

    pub(super) fn no_such_pack(&self, number: u32) -> Error {
        Error::damaged(&self.object, format!("there is no pack {number} in its table"))
    }

    /// Tells whether it may hold an id, without reading: yes as long as its filter was not opened.
    pub(super) fn may_hold(&self, id: &IdPrefix) -> bool {
        match self.guides.get() {
            Some(Ok(guides)) => guides.filter.contains(id.filter_key()),
            Some(Err(_)) | None => true,
        }
    }

    /// Shows the number and content of every record of this id and kind to `take` until it gives something.
    ///
    /// A page that can not be read hides only its own records: the others are shown first, then the error is returned.
    pub(super) fn find<T>(
        &self,
        id: &IdPrefix,
        kind: ChunkKind,
        cache: &Cached<'_>,
        take: &mut dyn FnMut(u32, &Entry) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let guides = self.guides()?;
        if !guides.filter.contains(id.filter_key()) {
            return Ok(None);
        }
        let mut trouble = Trouble::default();
        let mut page = [0; SEALED_PAGE];
        for number in guides.fences.pages_of(id) {
            let Some(records) = trouble.outlive(self.page(number, cache, &mut page).map(Some))? else { continue };
            for (position, entry) in records_of(records, id).filter(|(_, entry)| entry.chunk.kind == kind) {
                if let Some(taken) = trouble.outlive(take(number * RECORDS_IN_PAGE + position, &entry))? {
                    return Ok(Some(taken));
                }
            }
        }
        trouble.nothing_found()
    }

    /// A row of the pack table; `number` comes from a record. Of its page only this row is looked at.
    pub(super) fn pack(&self, number: u32, cache: &Cached<'_>) -> Result<Arc<PackRow>> {
        if let Some(row) = cache.rows.get(cache.segment, number) {
            return Ok(row);
        }
        let (page, place) = (number / PACKS_IN_PAGE, number % PACKS_IN_PAGE);
        if place >= self.summary.packs_in(page) {
            return Err(self.no_such_pack(number));
        }
        let key = PageKey::Packs { segment: cache.segment, page };
        let mut sealed = [0; SEALED_PAGE];
        let plain = plain_of(&mut sealed);
        if !cache.pages.get(key, plain) {
            self.open_stored(Domain::PackTable, page, self.summary.pack_page_at(page), &mut sealed)?;
            cache.pages.put(key, plain_of(&mut sealed));
        }
        let row = Arc::new(parse_pack(&self.object, self.header.repository, page, place, plain_of(&mut sealed))?);
        cache.rows.put(cache.segment, number, &row);
        Ok(row)
    }

    /// The records of a page, which was checked; `sealed` is overwritten.
    fn page<'a>(
        &self,
        number: u32,
        cache: &Cached<'_>,
        sealed: &'a mut [u8; SEALED_PAGE],
    ) -> Result<&'a [[u8; RECORD]]> {
        let key = PageKey::Records { segment: cache.segment, page: number };
        let records = self.summary.records_in(number);
        if cache.pages.get(key, plain_of(sealed)) {
            return Ok(records_in(plain_of(sealed), records));
        }
        self.open_stored(Domain::Page, number, self.summary.page_at(number), sealed)?;
        check_page(&self.object, number, records, self.summary.packs, plain_of(sealed))
            .inspect_err(|_| self.mark_hurt())?;
        cache.pages.put(key, plain_of(sealed));
        Ok(records_in(plain_of(sealed), records))
    }

    /// Reads and opens a page; one that does not open is read once more, from where it lies and not from memory that may hold it wrongly.
    fn open_stored(&self, domain: Domain, number: u32, offset: u64, sealed: &mut [u8; SEALED_PAGE]) -> Result<()> {
        let mut open = || {
            self.read_page(offset, sealed)?;
            self.opener.open(domain, number.into(), &[], sealed).map(|_| ())
        };
        self.read_twice(&mut open)
    }

    /// Does again what met damage; damage that stays is remembered.
    pub(super) fn read_twice<T>(&self, read: &mut dyn FnMut() -> Result<T>) -> Result<T> {
        self.misread.read_twice(&*self.backend, &self.name, read).inspect_err(|error| {
            if error.is_damage() {
                self.mark_hurt();
            }
        })
    }

    fn read_page(&self, offset: u64, sealed: &mut [u8; SEALED_PAGE]) -> Result<()> {
        let failed = |source| Error::store("read", &self.name, source);
        let parts = match self.parts.get() {
            Some(parts) => parts,
            None => {
                let parts = self.backend.open_parts(&self.name).map_err(failed)?;
                self.parts.get_or_init(|| parts)
            }
        };
        match parts {
            Some(parts) => parts.read(offset, sealed).map_err(failed),
            None => {
                sealed.copy_from_slice(&self.read(offset, SEALED_PAGE as u64)?);
                Ok(())
            }
        }
    }

    pub(super) fn open_page(&self, number: u32, sealed: &mut [u8]) -> Result<Page> {
        let plain = self.opener.open(Domain::Page, number.into(), &[], sealed)?;
        parse_page(&self.object, number, self.summary.records_in(number), self.summary.packs, plain)
    }

    /// Opens a page of records that did not open, from where it lies.
    pub(super) fn open_page_again(&self, number: u32) -> Result<Page> {
        self.backend.forget_cached(&self.name);
        let mut sealed = self.read(self.summary.page_at(number), SEALED_PAGE as u64)?;
        let page = self.open_page(number, &mut sealed).inspect_err(|_| self.mark_hurt())?;
        self.misread.note(&self.name);
        Ok(page)
    }

    pub(super) fn open_packs(&self, number: u32, sealed: &mut [u8]) -> Result<Vec<Arc<PackRow>>> {
        let plain = self.opener.open(Domain::PackTable, number.into(), &[], sealed)?;
        parse_pack_page(&self.object, self.header.repository, number, self.summary.packs_in(number), plain)
    }

    /// Filter and fences, read together when they are first needed; threads that come at the same time read them twice.
    fn guides(&self) -> Result<&Guides> {
        let guides = match self.guides.get() {
            Some(guides) => guides,
            None => {
                let guides = self.read_twice(&mut || self.read_guides());
                match guides {
                    // The store may answer the next time.
                    Err(error) if !is_segment_at_fault(&error) => return Err(error),
                    guides => self.guides.get_or_init(|| guides),
                }
            }
        };
        guides.as_ref().map_err(again)
    }

    fn read_guides(&self) -> Result<Guides> {
        let lengths = (self.summary.fences_length(), self.summary.filter_length);
        let mut sealed = self.read(self.summary.fences_at(), u64::from(lengths.0) + u64::from(lengths.1))?;
        let (fences, filter) = sealed.split_at_mut(lengths.0 as usize);
        let fences = self.opener.open(Domain::Fences, 0, &[], fences)?;
        let fences = parse_fences(&self.object, self.summary.pages(), fences)?;
        // Without its filter a segment answers as truly, only later (rule I5); `verify` finds the damage by the name.
        let filter = self.opener.open(Domain::Filter, 0, &[], filter);
        let filter = filter.and_then(|plain| Filter::parse(&self.object, plain));
        let filter = filter.or_else(|_| self.read_filter_again()).unwrap_or_else(|_| Filter::everything());
        Ok(Guides { filter, fences })
    }

    fn read_filter_again(&self) -> Result<Filter> {
        self.backend.forget_cached(&self.name);
        let offset = self.summary.fences_at() + u64::from(self.summary.fences_length());
        let mut sealed = self.read(offset, self.summary.filter_length.into())?;
        let plain = self.opener.open(Domain::Filter, 0, &[], &mut sealed)?;
        Filter::parse(&self.object, plain).inspect(|_| self.misread.note(&self.name))
    }

    pub(super) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        read(&self.backend, &self.name, offset, length)
    }
}

/// The cache of an index and the number that a segment has in it.
#[derive(Debug)]
pub(super) struct Cached<'a> {
    pub(super) pages: &'a PageCache,
    pub(super) rows: &'a RowCache,
    pub(super) segment: u32,
}

/// What a page holds before its seal.
fn plain_of(sealed: &mut [u8; SEALED_PAGE]) -> &mut PlainPage {
    sealed.first_chunk_mut::<PAGE>().expect("a sealed page is a page and its seal")
}

fn read(backend: &Arc<dyn Backend>, name: &ObjectName, offset: u64, length: u64) -> Result<Vec<u8>> {
    let bytes: Bytes = backend.get_range(name, offset, length).map_err(|source| Error::store("read", name, source))?;
    if bytes.len() as u64 != length {
        return Err(Error::store("read", name, BackendErrorKind::Corrupt.into()));
    }
    Ok(bytes.into())
}

/// Tells whether the stored segment can not be used, as opposed to a store that does not answer.
pub(super) fn is_segment_at_fault(error: &Error) -> bool {
    error.is_damage() || matches!(error, Error::Newer { .. })
}

/// Remembers the first damage of a search that goes on elsewhere.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Error>);

impl Trouble {
    /// Turns damage into "nothing here"; other failures pass.
    pub(super) fn outlive<T>(&mut self, found: Result<Option<T>>) -> Result<Option<T>> {
        match found {
            Err(error) if is_segment_at_fault(&error) => {
                self.0.get_or_insert(error);
                Ok(None)
            }
            found => found,
        }
    }

    /// The end of a search: nothing is there only if nothing was hidden.
    pub(super) fn nothing_found<T>(self) -> Result<Option<T>> {
        self.0.map_or(Ok(None), Err)
    }
}

/// The same trouble once more: errors of the system can not be cloned, their kinds can.
fn again(error: &Error) -> Error {
    match error {
        Error::Newer { object, needs } => Error::Newer { object: object.clone(), needs: needs.clone() },
        Error::Store { action, object, source } => Error::store(action, object, source.kind.into()),
        Error::Damaged { object, what } => Error::damaged(object, what),
        other => Error::damaged("an index segment", other),
    }
}
