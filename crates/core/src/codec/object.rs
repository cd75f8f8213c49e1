//! Objects sealed as one: config, sessions, manifests, and the small records of the protocol.
//!
//! Their full name is associated data: none can be served under another's name.

use bytes::Bytes;

use super::{
    Codec, HEADER, TAG,
    cipher::{Domain, split_header},
    header::Kind,
};
use crate::{
    backend::{ObjectName, Sealed, check_stored},
    error::{Error, Result},
    id::{ObjectHash, SessionId},
};

/// Length of an empty signature field and the checksum behind it.
pub(super) const TRAILER: usize = 2 + 32;

/// An object that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedObject {
    /// Which of the expected kinds it is.
    pub kind: Kind,
    /// The session in its header.
    pub session: SessionId,
    /// Its plain bytes.
    pub plain: Vec<u8>,
}

/// BLAKE3 of a stored object: the head that later snapshots remember.
#[must_use]
pub fn object_hash(stored: &[u8]) -> ObjectHash {
    ObjectHash(*blake3::hash(stored).as_bytes())
}

impl Codec {
    /// Seals a record as one object, and opens it again: a bit that turns over here may cost a snapshot.
    ///
    /// # Errors
    /// When the operating system has no random bytes; [`Error::Unreliable`] when what was sealed does not open.
    pub fn seal_object(&self, name: &ObjectName, kind: Kind, session: SessionId, plain: &[u8]) -> Result<Sealed> {
        let sealer = self.sealer(kind, session)?;
        let mut bytes = Vec::with_capacity(HEADER + plain.len() + TAG + TRAILER);
        bytes.extend_from_slice(&sealer.header().encode());
        bytes.extend_from_slice(plain);
        sealer.seal_tail(Domain::Whole, 0, name.to_string().as_bytes(), &mut bytes, HEADER);
        let sealed = finish(bytes);
        self.prove_object(name, kind, session, plain, sealed.as_bytes())?;
        Ok(sealed)
    }

    fn prove_object(
        &self,
        name: &ObjectName,
        kind: Kind,
        session: SessionId,
        plain: &[u8],
        stored: &[u8],
    ) -> Result<()> {
        match self.open_object(name, &[kind], Some(session), stored) {
            Ok(opened) if opened.plain == plain => Ok(()),
            Ok(_) => Err(Error::Unreliable { what: format!("{name} does not hold what was sealed") }),
            Err(error) => Err(Error::Unreliable { what: error.to_string() }),
        }
    }

    /// Opens an object that must be one of `kinds`, written by `session` where that is known.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is not what was written, or something else stands under its name; [`Error::Newer`].
    pub fn open_object(
        &self,
        name: &ObjectName,
        kinds: &[Kind],
        session: Option<SessionId>,
        stored: &[u8],
    ) -> Result<OpenedObject> {
        check_stored(name, stored)?;
        let object = name.to_string();
        let body = split_trailer(&object, stored)?;
        let (header, sealed) = split_header(&object, body)?;
        if !kinds.contains(&header.kind) {
            return Err(Error::damaged(&object, format!("it holds an object of kind {:?}", header.kind)));
        }
        if session.is_some_and(|session| session != header.session) {
            return Err(Error::damaged(&object, format!("it was written by session {}", header.session)));
        }
        let mut plain = sealed.to_vec();
        let length = self.opener(&object, &header)?.open(Domain::Whole, 0, object.as_bytes(), &mut plain)?.len();
        plain.truncate(length);
        Ok(OpenedObject { kind: header.kind, session: header.session, plain })
    }
}

/// Appends the empty signature field and the checksum.
pub(super) fn finish(mut bytes: Vec<u8>) -> Sealed {
    bytes.extend_from_slice(&0_u16.to_le_bytes());
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    Sealed::from_sealer(Bytes::from(bytes))
}

/// What stands before the signature field of an object whose checksum was compared.
pub(super) fn split_trailer<'a>(object: &str, stored: &'a [u8]) -> Result<&'a [u8]> {
    let short = || Error::damaged(object, format!("it is only {} bytes long", stored.len()));
    let (rest, length) =
        stored.split_last_chunk::<32>().and_then(|(rest, _)| rest.split_last_chunk::<2>()).ok_or_else(short)?;
    let signature = usize::from(u16::from_le_bytes(*length));
    if signature != 0 {
        // Signed history is reserved: a signature that can not be checked is not passed over.
        return Err(Error::Newer { object: object.to_owned(), needs: "signatures".into() });
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        id::RepositoryId,
        keys::{Keys, Secret},
    };

    fn codec() -> Codec {
        let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
        Codec::new(keys, RepositoryId([2; 16]))
    }

    const SESSION: SessionId = SessionId([3; 16]);

    #[test]
    fn an_object_opens_under_its_own_name_alone() {
        let (codec, name) = (codec(), ObjectName::Snapshot(SESSION));
        let sealed = codec.seal_object(&name, Kind::Closed, SESSION, b"why").expect("seal");
        let open = |name: &ObjectName, kinds: &[Kind], session| {
            codec.open_object(name, kinds, session, sealed.as_bytes()).map(|object| object.plain)
        };
        assert_eq!(open(&name, &[Kind::Manifest, Kind::Closed], Some(SESSION)).expect("open"), b"why");
        assert!(open(&ObjectName::Snapshot(SessionId([4; 16])), &[Kind::Closed], None).is_err());
        assert!(open(&name, &[Kind::Manifest], None).is_err());
        assert!(open(&name, &[Kind::Closed], Some(SessionId([4; 16]))).is_err());
    }

    #[test]
    fn what_was_sealed_wrongly_is_found_before_it_is_stored() {
        let (codec, name) = (codec(), ObjectName::Session(SESSION));
        let sealed = codec.seal_object(&name, Kind::Session, SESSION, b"hello").expect("seal");
        let prove = |plain: &[u8], stored: &[u8]| codec.prove_object(&name, Kind::Session, SESSION, plain, stored);
        assert!(prove(b"hello", sealed.as_bytes()).is_ok());
        let spoiled = finish({
            let mut body = sealed.as_bytes()[..sealed.as_bytes().len() - TRAILER].to_vec();
            body[HEADER] ^= 1;
            body
        });
        for (plain, stored) in [(&b"jello"[..], sealed.as_bytes()), (b"hello", spoiled.as_bytes())] {
            assert!(matches!(prove(plain, stored), Err(Error::Unreliable { .. })));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found_even_with_the_checksum_made_to_fit() {
        let (codec, name) = (codec(), ObjectName::Session(SESSION));
        let sealed = codec.seal_object(&name, Kind::Session, SESSION, b"hello").expect("seal");
        let stored = sealed.as_bytes();
        let open = |bytes: &[u8]| codec.open_object(&name, &[Kind::Session], Some(SESSION), bytes);
        assert!(open(stored).is_ok());
        for bit in 0..stored.len() * 8 {
            let mut bytes = stored.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&bytes).is_err(), "bit {bit}");
            let body = bytes.len() - 32;
            let hash = *blake3::hash(&bytes[..body]).as_bytes();
            bytes[body..].copy_from_slice(&hash);
            assert!(bit / 8 >= body || open(&bytes).is_err(), "bit {bit} behind a fitting checksum");
        }
        for length in 0..stored.len() {
            assert!(open(&stored[..length]).is_err(), "length {length}");
        }
    }
}
