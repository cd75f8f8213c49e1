//! A stored parity object: put together, and read part by part.

use bytes::Bytes;

use super::{ParityList, SECTOR, list::FIXED};
use crate::{
    backend::{Backend, ObjectName, Sealed},
    codec::{Codec, Domain, HEADER, Header, Kind, TAG},
    error::{Error, Result},
    id::{PackId, ParityId, SessionId},
};

/// Bytes that are read first: the lists of all but very large groups end before.
const FIRST_READ: u64 = 16 << 10;

/// Puts a parity object together, from front to end.
///
/// What it is given follows from stored bytes: this is no way for plain content to reach a store (rule I4).
#[derive(Debug)]
pub struct ParityBuilder {
    bytes: Vec<u8>,
    length: usize,
}

impl ParityBuilder {
    /// Begins with the header and the list.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn begin(codec: &Codec, list: &ParityList) -> Result<Self> {
        let sealer = codec.sealer(Kind::Parity, SessionId([0; 16]))?;
        let encoded = list.encode();
        let length = usize::try_from(list.stored_length()).expect("limits are far below");
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&sealer.header().encode());
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(&sealer.seal_in_place(Domain::Parity, 0, &encoded, &mut []));
        Ok(Self { bytes, length })
    }

    /// Adds what follows: the recovery sectors of each slice, then the checksums.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends and names it.
    ///
    /// # Panics
    /// When it is not as long as its list says: its parts would be looked for elsewhere.
    #[must_use]
    pub fn finish(mut self) -> (ObjectName, Sealed) {
        self.bytes.extend_from_slice(&0_u16.to_le_bytes());
        assert_eq!(self.bytes.len(), self.length, "a parity object is as long as its list says");
        let id = ParityId(*blake3::hash(&self.bytes).as_bytes());
        (ObjectName::Parity(id), Sealed::from_sealer(Bytes::from(self.bytes)))
    }
}

/// A parity object that is there: its list was read, the rest is read when it is wanted.
#[derive(Clone, Debug)]
pub struct ParityObject {
    /// Its id.
    pub id: ParityId,
    /// What it is of.
    pub list: ParityList,
}

impl ParityObject {
    /// Reads header and list of an object that was listed with this size. With a key the list is proven to be a writer's own;
    /// without one it is what the store says.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Newer`], [`Error::Store`].
    pub fn read(backend: &dyn Backend, codec: Option<&Codec>, id: ParityId, stored_length: u64) -> Result<Self> {
        let name = ObjectName::Parity(id);
        let object = name.to_string();
        let read = |length: u64| {
            backend.get_range(&name, 0, length.min(stored_length)).map_err(|error| Error::store("read", &object, error))
        };
        let mut bytes = read(FIRST_READ)?;
        let behind_header = bytes.get(HEADER..).unwrap_or_default();
        let wanted = HEADER + ParityList::length(&object, behind_header)? + TAG;
        if wanted > bytes.len() {
            bytes = read(wanted as u64)?;
        }
        let list = Self::parse(&object, codec, &bytes)?;
        if list.stored_length() != stored_length {
            let expected = list.stored_length();
            return Err(Error::damaged(object, format!("it has {stored_length} bytes instead of {expected}")));
        }
        Ok(Self { id, list })
    }

    /// Reads the list at the beginning of an object, behind its header.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Newer`].
    pub fn parse(object: &str, codec: Option<&Codec>, bytes: &[u8]) -> Result<ParityList> {
        let short = || Error::damaged(object, "it ends within its list of packs");
        let header = Header::parse(object, bytes)?;
        if header.kind != Kind::Parity {
            return Err(Error::damaged(object, format!("it holds an object of kind {:?}", header.kind)));
        }
        let rest = bytes.get(HEADER..).ok_or_else(short)?;
        let (encoded, rest) = rest.split_at_checked(ParityList::length(object, rest)?).ok_or_else(short)?;
        let mut tag = *rest.first_chunk::<TAG>().ok_or_else(short)?;
        if let Some(codec) = codec {
            codec.opener(object, &header)?.open(Domain::Parity, 0, encoded, &mut tag)?;
        }
        ParityList::parse(object, encoded)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> ObjectName {
        ObjectName::Parity(self.id)
    }

    /// The ids of the packs that it is of.
    pub fn packs(&self) -> impl Iterator<Item = PackId> {
        self.list.packs().iter().map(|pack| pack.id)
    }

    /// Reads the checksums of all sectors.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn read_checksums(&self, backend: &dyn Backend) -> Result<Bytes> {
        self.read_range(backend, self.list.checksums_at(), self.list.checksums_length())
    }

    /// Reads some of the recovery sectors of a slice.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn read_recovery(&self, backend: &dyn Backend, slice: usize, first: usize, sectors: usize) -> Result<Bytes> {
        let offset = self.list.recovery_at(slice) + (first * SECTOR) as u64;
        self.read_range(backend, offset, sectors * SECTOR)
    }

    fn read_range(&self, backend: &dyn Backend, offset: u64, length: usize) -> Result<Bytes> {
        let name = self.name();
        backend.get_range(&name, offset, length as u64).map_err(|error| Error::store("read", &name, error))
    }
}

const _: () = assert!(FIXED < 16 << 10, "the first read tells how long the list is");
