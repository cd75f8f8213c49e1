//! Key slots: what a password or a key file opens.
//!
//! ```text
//! header 80 · form 1 · zero 3 · memory u32 · passes u32 · lanes u32 · salt 32 · commitment 32 · sealed record · trailer
//! ```
//!
//! The commitment binds a slot to one key (ChaCha20-Poly1305 alone does not): a wrong password is told from
//! damage, and no slot can be made that several passwords open. Slots are never edited in place.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    HEADER,
    cipher::{Domain, Opener, Sealer, split_header},
    header::{Header, Kind, random_bytes},
    object::{finish, split_trailer},
};
use crate::{
    backend::{ObjectName, Sealed, check_stored},
    error::{Error, Result},
    id::{RepositoryId, SessionId, SlotId},
    keys::{KeyFile, PasswordCost, Secret},
    wire,
};

/// Length of everything before the sealed record.
const CLEAR: usize = HEADER + 16 + 32 + 32;
/// Length of what the commitment binds.
const BOUND: usize = CLEAR - 32;

/// What opens a slot.
#[derive(Clone)]
pub enum Credential {
    /// A password, as bytes.
    Password(Zeroizing<Vec<u8>>),
    /// A 256-bit key from a file.
    KeyFile(KeyFile),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(…)",
            Self::KeyFile(_) => "KeyFile(…)",
        })
    }
}

impl Credential {
    /// A password.
    pub fn password(password: impl Into<Vec<u8>>) -> Self {
        Self::Password(Zeroizing::new(password.into()))
    }

    /// What kind of slot it opens.
    #[must_use]
    pub fn form(&self) -> SlotForm {
        match self {
            Self::Password(_) => SlotForm::Password,
            Self::KeyFile(_) => SlotForm::KeyFile,
        }
    }
}

/// The kinds of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotForm {
    /// Opened by a password, through Argon2id.
    Password = 1,
    /// Opened by a key file.
    KeyFile = 2,
}

/// What is sealed in a slot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// Master secrets by key epoch.
    pub masters: Vec<(u32, [u8; 32])>,
    /// What the owner calls the slot.
    pub label: String,
    /// When it was made: seconds since 1970, by the clock of who made it.
    pub created_seconds: i64,
    /// A copy of the stored object `config`.
    pub config: Vec<u8>,
}

impl std::fmt::Debug for SlotRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotRecord").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Drop for SlotRecord {
    fn drop(&mut self) {
        self.masters.iter_mut().for_each(|(_, master)| master.zeroize());
    }
}

const RECORD_VERSION: u8 = 1;

/// The clear fields of a slot.
#[derive(Clone, Debug)]
pub struct SlotHead {
    /// What opens it.
    pub form: SlotForm,
    /// What trying a password costs; meaningless for key files.
    pub cost: PasswordCost,
    salt: [u8; 32],
    commitment: [u8; 32],
    /// The repository that it belongs to.
    pub repository: RepositoryId,
}

/// Seals a new slot.
///
/// # Errors
/// When the cost is not sane or the operating system has no random bytes.
pub fn seal_slot(
    repository: RepositoryId,
    slot: SlotId,
    credential: &Credential,
    cost: PasswordCost,
    record: &SlotRecord,
) -> Result<Sealed> {
    let header = Header::draw(Kind::Slot, 0, repository, SessionId(slot.0))?;
    let salt = random_bytes()?;
    let cost = match credential.form() {
        SlotForm::Password => cost,
        SlotForm::KeyFile => PasswordCost { memory_kib: 0, passes: 0, lanes: 0 },
    };
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(&header.encode());
    bytes.extend_from_slice(&[credential.form() as u8, 0, 0, 0]);
    bytes.extend_from_slice(&cost.memory_kib.to_le_bytes());
    bytes.extend_from_slice(&cost.passes.to_le_bytes());
    bytes.extend_from_slice(&cost.lanes.to_le_bytes());
    bytes.extend_from_slice(&salt);
    let (key, commitment) = slot_keys(&stretch(credential, &cost, &salt)?, &bytes);
    bytes.extend_from_slice(&commitment);

    let associated = associated_data(slot, &bytes);
    let plain = Zeroizing::new(wire::encode("a key slot", RECORD_VERSION, record)?);
    bytes.extend_from_slice(&plain);
    Sealer::with_key(header, &key).seal_tail(Domain::Whole, 0, &associated, &mut bytes, CLEAR);
    Ok(finish(bytes))
}

/// Reads the clear fields of a slot whose checksum holds.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::Newer`].
pub fn read_head(slot: SlotId, stored: &[u8]) -> Result<SlotHead> {
    let name = ObjectName::Slot(slot);
    check_stored(&name, stored)?;
    let object = name.to_string();
    let body = split_trailer(&object, stored)?;
    let (header, rest) = split_header(&object, body)?;
    if header.kind != Kind::Slot || header.session.0 != slot.0 {
        return Err(Error::damaged(&object, "another object stands in its place"));
    }
    let Some(fields) = rest.first_chunk::<{ CLEAR - HEADER }>() else {
        return Err(Error::damaged(&object, "it ends in its clear fields"));
    };
    let number = |at: usize| u32::from_le_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
    let form = match fields[0] {
        1 => SlotForm::Password,
        2 => SlotForm::KeyFile,
        other => return Err(Error::Newer { object, needs: format!("slot form {other}") }),
    };
    let mut head = SlotHead {
        form,
        cost: PasswordCost { memory_kib: number(4), passes: number(8), lanes: number(12) },
        salt: [0; 32],
        commitment: [0; 32],
        repository: header.repository,
    };
    head.salt.copy_from_slice(&fields[16..48]);
    head.commitment.copy_from_slice(&fields[48..80]);
    Ok(head)
}

/// Tries a credential on a slot; `None` when it is not the one that the slot was made for.
///
/// # Errors
/// [`Error::Damaged`], [`Error::Newer`], or [`Error::AbsurdSlot`] when trying would cost more than is sane.
pub fn open_slot(slot: SlotId, stored: &[u8], credential: &Credential) -> Result<Option<SlotRecord>> {
    let head = read_head(slot, stored)?;
    if head.form != credential.form() {
        return Ok(None);
    }
    let object = ObjectName::Slot(slot).to_string();
    if head.form == SlotForm::Password && !head.cost.is_sane() {
        return Err(Error::AbsurdSlot { object, what: format!("{:?}", head.cost) });
    }
    let (key, commitment) = slot_keys(&stretch(credential, &head.cost, &head.salt)?, &stored[..BOUND]);
    // Compared in constant time by BLAKE3's own equality.
    if blake3::Hash::from_bytes(commitment) != blake3::Hash::from_bytes(head.commitment) {
        return Ok(None);
    }
    let body = split_trailer(&object, stored)?;
    let mut plain = Zeroizing::new(body[CLEAR..].to_vec());
    let associated = associated_data(slot, &stored[..CLEAR]);
    let opener = Opener::with_key(&object, &key);
    let plain = opener.open(Domain::Whole, 0, &associated, &mut plain)?;
    wire::decode(&object, RECORD_VERSION, plain).map(Some)
}

fn stretch(credential: &Credential, cost: &PasswordCost, salt: &[u8; 32]) -> Result<Secret> {
    match credential {
        Credential::Password(password) => cost.stretch(password, salt),
        Credential::KeyFile(key) => Ok(key.secret().clone()),
    }
}

/// The slot's key and its commitment, both bound to all clear fields before the commitment.
fn slot_keys(key_encryption_key: &Secret, bound: &[u8]) -> (Secret, [u8; 32]) {
    let derive = |context: &str| {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(key_encryption_key.expose()).update(bound);
        *hasher.finalize().as_bytes()
    };
    (Secret::new(derive("lbak v1 2026-11 slot key")), derive("lbak v1 2026-11 slot commitment"))
}

fn associated_data(slot: SlotId, clear: &[u8]) -> Vec<u8> {
    [ObjectName::Slot(slot).to_string().as_bytes(), clear].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: SlotId = SlotId([5; 16]);

    fn record() -> SlotRecord {
        SlotRecord { masters: vec![(0, [9; 32])], label: "laptop".into(), created_seconds: 1, config: vec![1, 2, 3] }
    }

    fn seal(credential: &Credential) -> Sealed {
        seal_slot(RepositoryId([1; 16]), SLOT, credential, PasswordCost::CHEAPEST, &record()).expect("seal")
    }

    #[test]
    fn a_slot_opens_with_its_own_credential_alone() {
        let password = Credential::password("correct horse");
        let key = Credential::KeyFile(KeyFile::generate().expect("random bytes"));
        let (by_password, by_key) = (seal(&password), seal(&key));
        let open = |sealed: &Sealed, credential: &Credential| {
            open_slot(SLOT, sealed.as_bytes(), credential).expect("a sound slot")
        };
        assert_eq!(open(&by_password, &password), Some(record()));
        assert_eq!(open(&by_key, &key), Some(record()));
        assert_eq!(open(&by_password, &Credential::password("wrong horse")), None);
        assert_eq!(open(&by_password, &key), None);
        assert_eq!(open(&by_key, &password), None);
        let other_key = Credential::KeyFile(KeyFile::generate().expect("random bytes"));
        assert_eq!(open(&by_key, &other_key), None);
    }

    #[test]
    fn damage_is_told_from_a_wrong_password() {
        let password = Credential::password("correct horse");
        let sealed = seal(&password);
        for place in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[place] ^= 1;
            assert!(open_slot(SLOT, &bytes, &password).is_err(), "byte {place}");
            assert!(open_slot(SLOT, &bytes[..place], &password).is_err(), "cut at {place}");
        }
        assert!(open_slot(SlotId([6; 16]), sealed.as_bytes(), &password).is_err(), "under another name");
    }
}
