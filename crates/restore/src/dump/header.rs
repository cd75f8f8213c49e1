//! Headers of a tar archive: ustar where that suffices, and PAX records (POSIX.1-2001) for everything else.
//!
//! ```text
//! "lbak", mtime with nanoseconds →  x header · "30 mtime=1700000000.123456789\n" · zeros │ ustar header │ content · zeros
//! ```
//!
//! Attributes are written as star, GNU tar and libarchive read them: `SCHILY.xattr.NAME`, bytes as they are; access lists are
//! attributes too (`system.posix_acl_access`). Names that are not UTF-8 stand as they are behind `hdrcharset=BINARY`.

use lbak_core::{metadata::Timestamp, tree::Entry};
use tar::Header;

/// Everything in an archive is a multiple of this.
pub(super) const BLOCK: u64 = HEADER as u64;

/// A header is one block.
const HEADER: usize = 512;

/// Largest numbers of the octal fields.
const LARGEST_SIZE: u64 = 0o77_777_777_777;
const LARGEST_OWNER: u32 = 0o7_777_777;

/// What an archive holds under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    File = b'0',
    HardLink = b'1',
    Symlink = b'2',
    CharacterDevice = b'3',
    BlockDevice = b'4',
    Directory = b'5',
    Fifo = b'6',
}

/// What a header tells.
pub(super) struct Heading<'a> {
    /// The name in the archive.
    pub(super) name: &'a [u8],
    pub(super) kind: Kind,
    pub(super) entry: &'a Entry,
    /// What a link leads to.
    pub(super) link: &'a [u8],
    /// Major and minor number of a device.
    pub(super) device: (u32, u32),
    /// Bytes that follow, without what fills up the last block.
    pub(super) size: u64,
    /// Names and values.
    pub(super) attributes: &'a [(Vec<u8>, Vec<u8>)],
    /// The size of a file of which only the parts that are no holes follow, behind a map of them.
    pub(super) sparse: Option<u64>,
}

impl Heading<'_> {
    /// Returns the blocks that stand before the content.
    pub(super) fn encode(&self) -> Vec<u8> {
        let records = self.records();
        let mut bytes = Vec::with_capacity(HEADER + records.len());
        if !records.is_empty() {
            bytes.extend_from_slice(&extension(base_of(self.name), records.len() as u64));
            bytes.extend_from_slice(&records);
            bytes.resize(bytes.len().next_multiple_of(HEADER), 0);
        }
        bytes.extend_from_slice(self.ustar().as_bytes());
        bytes
    }

    fn ustar(&self) -> Header {
        let mut header = Header::new_ustar();
        let entry = self.entry;
        header.set_mode(entry.mode & 0o7777);
        header.set_uid(entry.uid.min(LARGEST_OWNER).into());
        header.set_gid(entry.gid.min(LARGEST_OWNER).into());
        header.set_size(self.size.min(LARGEST_SIZE));
        header.set_mtime(u64::try_from(entry.mtime.seconds).unwrap_or(0).min(LARGEST_SIZE));
        let old = header.as_old_mut();
        old.linkflag = [self.kind as u8];
        put(&mut old.linkname, self.link);
        match self.sparse {
            // A reader that does not know of holes must not take the map for the file.
            Some(_) => put(&mut old.name, &[b"GNUSparseFile.0/", base_of(self.name)].concat()),
            None => put(&mut old.name, self.name),
        }
        if let Some(ustar) = header.as_ustar_mut() {
            put(&mut ustar.uname, fitting(&entry.user));
            put(&mut ustar.gname, fitting(&entry.group));
            ustar.set_device_major(self.device.0.min(LARGEST_OWNER));
            ustar.set_device_minor(self.device.1.min(LARGEST_OWNER));
        }
        header.set_cksum();
        header
    }

    fn records(&self) -> Vec<u8> {
        let entry = self.entry;
        let mut records = Records::default();
        let names = [self.name, self.link, &entry.user, &entry.group];
        if names.iter().any(|name| std::str::from_utf8(name).is_err()) {
            records.put(b"hdrcharset", b"BINARY");
        }
        match self.sparse {
            Some(size) => {
                records.put(b"GNU.sparse.major", b"1");
                records.put(b"GNU.sparse.minor", b"0");
                records.put(b"GNU.sparse.name", self.name);
                records.put(b"GNU.sparse.realsize", size.to_string().as_bytes());
            }
            None if needs_record(self.name, 100) => records.put(b"path", self.name),
            None => {}
        }
        if needs_record(self.link, 100) {
            records.put(b"linkpath", self.link);
        }
        if self.size > LARGEST_SIZE {
            records.put(b"size", self.size.to_string().as_bytes());
        }
        let is_plain = entry.mtime.nanoseconds == 0 && (0..=LARGEST_SIZE.cast_signed()).contains(&entry.mtime.seconds);
        if !is_plain {
            records.put(b"mtime", decimal(entry.mtime).as_bytes());
        }
        for (key, number) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
            if number > LARGEST_OWNER {
                records.put(key, number.to_string().as_bytes());
            }
        }
        for (key, name) in [(&b"uname"[..], &entry.user), (b"gname", &entry.group)] {
            if fitting(name).is_empty() && !name.is_empty() {
                records.put(key, name);
            }
        }
        for (key, number) in [(&b"SCHILY.devmajor"[..], self.device.0), (b"SCHILY.devminor", self.device.1)] {
            if number > LARGEST_OWNER {
                records.put(key, number.to_string().as_bytes());
            }
        }
        for (name, value) in self.attributes {
            records.put(&attribute_key(name), value);
        }
        records.0
    }
}

/// The header of PAX records. Left alone at the end of a stream, it makes every reader say that the archive is cut off.
pub(super) fn extension(base: &[u8], length: u64) -> [u8; HEADER] {
    let mut header = Header::new_ustar();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(length);
    let old = header.as_old_mut();
    old.linkflag = *b"x";
    put(&mut old.name, &[b"PaxHeaders/", base].concat());
    header.set_cksum();
    *header.as_bytes()
}

/// PAX records: `LENGTH KEY=VALUE\n`, where the length counts itself.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        self.0.extend_from_slice(length.to_string().as_bytes());
        self.0.push(b' ');
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

/// A name that ustar can not hold for every reader.
fn needs_record(name: &[u8], room: usize) -> bool {
    name.len() > room || std::str::from_utf8(name).is_err()
}

/// The name of an owner, if its field can hold it.
fn fitting(name: &[u8]) -> &[u8] {
    if name.len() < 32 && name.is_ascii() { name } else { b"" }
}

/// Fills a field with as much as it holds.
fn put(field: &mut [u8], bytes: &[u8]) {
    for (place, byte) in field.iter_mut().zip(bytes) {
        *place = *byte;
    }
}

/// The last name of a path.
fn base_of(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.rsplit(|&byte| byte == b'/').next().unwrap_or(name)
}

/// Seconds and nanoseconds as one decimal number: those of a moment before 1970 count backward there.
fn decimal(time: Timestamp) -> String {
    let Timestamp { seconds, nanoseconds } = time;
    if nanoseconds == 0 {
        seconds.to_string()
    } else if seconds < 0 {
        format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds)
    } else {
        format!("{seconds}.{nanoseconds:09}")
    }
}

/// The key of an attribute; what would end it is written as GNU tar does.
fn attribute_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            byte => key.push(*byte),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_itself() {
        for length in [0, 1, 5, 85, 86, 87, 88, 89, 90, 91, 980, 990, 1_000, 99_990] {
            let mut records = Records::default();
            records.put(b"path", &vec![b'x'; length]);
            let told: usize =
                String::from_utf8_lossy(&records.0).split(' ').next().and_then(|n| n.parse().ok()).expect("n");
            assert_eq!(told, records.0.len(), "{length}");
        }
    }

    #[test]
    fn moments_before_1970_count_backward() {
        let decimal = |seconds, nanoseconds| decimal(Timestamp { seconds, nanoseconds });
        assert_eq!(decimal(1, 5), "1.000000005");
        assert_eq!(decimal(-1, 500_000_000), "-0.500000000");
        assert_eq!(decimal(-2, 250_000_000), "-1.750000000");
        assert_eq!(decimal(-7, 0), "-7");
        assert_eq!(decimal(i64::MIN, 1), "-9223372036854775807.999999999");
    }
}
