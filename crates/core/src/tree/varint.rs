//! The smallest parts of the encoding: varints, byte strings, and a cursor that never reads past the end.

use crate::{
    error::{Error, escape},
    id::ChunkId,
};

/// Why bytes do not decode; the caller adds where they came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// They break a rule.
    Wrong(&'static str),
    /// A name breaks a rule.
    Name(Vec<u8>, &'static str),
    /// They follow rules of a later version.
    Newer(String),
}

pub(super) type Decoded<T> = Result<T, Malformed>;

impl Malformed {
    pub(super) fn in_object(self, object: &str) -> Error {
        match self {
            Self::Wrong(what) => Error::damaged(object, what),
            Self::Name(name, what) => Error::damaged(object, format!("the name \"{}\" {what}", escape(&name))),
            Self::Newer(needs) => Error::Newer { object: object.to_owned(), needs },
        }
    }
}

/// Appends a varint: seven bits a byte, lowest first.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
    bytes.push(value as u8);
}

/// Appends a signed number, small ones of either sign in one byte.
pub(super) fn put_zigzag(bytes: &mut Vec<u8>, value: i64) {
    put_varint(bytes, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

/// Appends length and bytes.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

/// What is left to read.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn remaining(&self) -> usize {
        self.0.len()
    }

    pub(super) fn byte(&mut self) -> Decoded<u8> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed::Wrong("it is cut short"))?;
        self.0 = rest;
        Ok(first)
    }

    fn take(&mut self, length: u64) -> Decoded<&'a [u8]> {
        let (taken, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| self.0.split_at_checked(length))
            .ok_or(Malformed::Wrong("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads the one shortest form of a number.
    pub(super) fn varint(&mut self) -> Decoded<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::Wrong("a number has more than 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Malformed::Wrong("a number is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(Malformed::Wrong("a number has more than 64 bits"))
    }

    pub(super) fn varint_u32(&mut self) -> Decoded<u32> {
        u32::try_from(self.varint()?).map_err(|_| Malformed::Wrong("a number has more than 32 bits"))
    }

    pub(super) fn zigzag(&mut self) -> Decoded<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let length = self.varint()?;
        self.take(length)
    }

    pub(super) fn chunk_id(&mut self) -> Decoded<ChunkId> {
        let bytes = self.take(ChunkId::LENGTH as u64)?;
        ChunkId::from_slice(bytes).ok_or(Malformed::Wrong("it is cut short"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut cursor = Cursor::new(&bytes);
            assert_eq!(cursor.varint(), Ok(value));
            assert!(cursor.is_at_end());
        }
        for bytes in
            [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert!(Cursor::new(bytes).varint().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn signed_numbers_round_trip_to_both_ends() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            put_zigzag(&mut bytes, value);
            assert_eq!(Cursor::new(&bytes).zigzag(), Ok(value));
        }
        let mut bytes = Vec::new();
        put_zigzag(&mut bytes, -2);
        assert_eq!(bytes, [3]);
    }
}
