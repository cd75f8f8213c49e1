//! Headers, keys and slots: how anything comes out of its seal (sections 2 to 4).

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut, inout::InOutBuf};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

use super::fields::{Fields, Id, Result, ensure, hex};

pub(crate) const HEADER: usize = 80;

/// What opens a repository: a password, or the text of a key file.
pub(crate) enum Credential<'a> {
    Password(&'a str),
    KeyFile(&'a str),
}

/// The master secrets by key epoch, and the id of the repository that they are for.
pub(crate) struct Keys {
    masters: BTreeMap<u32, [u8; 32]>,
    repository: [u8; 16],
}

/// Opens the sealed parts of an object whose header was looked at.
pub(crate) struct Opener {
    key: [u8; 32],
    pub header: [u8; HEADER],
}

fn derive(purpose: &str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(&format!("lbak v1 2026-11 {purpose}"), material)
}

fn check_header(header: &[u8; HEADER], kinds: &[u8]) -> Result<()> {
    ensure(&header[..4] == b"lbak", "no object of lbak")?;
    ensure(kinds.contains(&header[4]), "an object of another kind")?;
    ensure(header[5..8] == [1, 0, 0], "an unknown version, suite or wrap")?;
    ensure(header[12..14] == [0; 2], "features that this reader does not know")
}

/// Checks the end of an object that is sealed as one: a signature (empty in version 1) and a hash; gives what is before.
pub(crate) fn without_trailer(object: &[u8]) -> Result<&[u8]> {
    let (signed, hash) = object.split_last_chunk::<32>().ok_or("too short for a hash")?;
    ensure(blake3::hash(signed).as_bytes() == hash, "the hash at the end is another")?;
    let (body, signature_length) = signed.split_last_chunk::<2>().ok_or("too short for a trailer")?;
    ensure(*signature_length == [0; 2], "a signature can not be checked")?;
    Ok(body)
}

impl Keys {
    /// Opens a slot; gives the keys and the copy of `config` in it, or nothing when the slot is another's.
    pub(crate) fn from_slot(name: &str, object: &[u8], credential: &Credential) -> Result<Option<(Self, Vec<u8>)>> {
        let (clear, sealed) = without_trailer(object)?.split_first_chunk::<160>().ok_or("a short slot")?;
        let (bound, commitment) = clear.split_at(128);
        let mut fields = Fields(bound);
        let header = fields.array()?;
        check_header(&header, &[2])?;
        ensure(name == format!("keys/{}", hex(&header[32..48])), "a slot under another's name")?;
        let form = fields.array()?;
        let (memory, passes, lanes) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let key = match (form, credential) {
            ([1, 0, 0, 0], Credential::Password(password)) => {
                ensure(memory <= 2 << 20 && passes <= 16 && lanes <= 16, "absurd parameters")?;
                let parameters = Params::new(memory, passes, lanes, Some(32)).map_err(|_| "parameters of no use")?;
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
                let mut key = [0; 32];
                argon2.hash_password_into(password.as_bytes(), fields.0, &mut key)?;
                key
            }
            ([2, 0, 0, 0], Credential::KeyFile(text)) => key_of_file(text)?,
            _ => return Ok(None),
        };
        let material = [&key, bound].concat();
        if derive("slot commitment", &material) != commitment {
            return Ok(None);
        }
        let opener = Opener { key: derive("slot key", &material), header };
        let record = opener.open(7, 0, &[name.as_bytes(), clear].concat(), sealed)?;
        let mut record = Fields::of_record(&record)?;
        let masters = (0..record.integer(8)?).map(|_| Ok((record.u32()?, record.array()?)));
        let masters = masters.collect::<Result<_>>()?;
        let (_label, _created, config) = (record.octets()?, record.integer(8)?, record.octets()?);
        ensure(record.0.is_empty(), "bytes are left over")?;
        let repository = Fields(config.get(16..).unwrap_or_default()).array()?;
        Ok(Some((Self { masters, repository }, config)))
    }

    /// The keys of the chunk ids: of data, trees, lists.
    pub(crate) fn of_chunk_ids(&self) -> Result<[[u8; 32]; 3]> {
        let (_, first) = self.masters.first_key_value().ok_or("a slot without a master")?;
        Ok(["data", "tree", "list"].map(|kind| derive(&format!("chunk id of {kind}"), first)))
    }

    pub(crate) fn opener(&self, object: &[u8], kinds: &[u8]) -> Result<Opener> {
        let header = Fields(object).array::<HEADER>()?;
        check_header(&header, kinds)?;
        ensure(header[16..32] == self.repository, "an object of another repository")?;
        let class = match header[4] {
            4 | 5 | 8 => "class content",
            3 | 6 | 7 | 9 | 12 | 13 | 14 => "class index",
            _ => "class rule",
        };
        let epoch = Fields(&header[8..]).u32()?;
        let master = self.masters.get(&epoch).ok_or("a key epoch that the slot does not have")?;
        let key = derive("object key", &[&derive(class, master)[..], &header].concat());
        Ok(Opener { key, header })
    }
}

impl Opener {
    pub(crate) fn open(&self, domain: u32, counter: u64, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let (cipher, tag) = sealed.split_last_chunk::<16>().ok_or("shorter than a tag")?;
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&domain.to_le_bytes());
        nonce[4..].copy_from_slice(&counter.to_le_bytes());
        let mut plain = cipher.to_vec();
        ChaCha20Poly1305::new(&self.key.into())
            .decrypt_inout_detached(&nonce.into(), associated, InOutBuf::from(plain.as_mut_slice()), tag.into())
            .map_err(|_| "a seal is broken")?;
        Ok(plain)
    }
}

/// `lbak-key-1 `, 64 hex digits, a space, the first 8 hex digits of the key's hash, a line feed.
fn key_of_file(text: &str) -> Result<Id> {
    let line = text.strip_prefix("lbak-key-1 ").and_then(|rest| rest.strip_suffix('\n'));
    let (digits, check) = line.and_then(|line| line.split_once(' ')).ok_or("no key file")?;
    let key = *blake3::Hash::from_hex(digits)?.as_bytes();
    ensure(blake3::hash(&key).to_hex()[..8] == *check, "a key file with a slip in it")?;
    Ok(key)
}
