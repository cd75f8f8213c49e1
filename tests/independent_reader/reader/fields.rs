//! Takes fields off the front of some bytes; every length is checked before it is believed.

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
pub(crate) type Id = [u8; 32];

pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("the bytes end too early")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    /// An integer of so many bytes.
    pub(crate) fn integer(&mut self, width: usize) -> Result<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// An integer of so many bytes that counts or measures something here.
    pub(crate) fn count(&mut self, width: usize) -> Result<usize> {
        Ok(usize::try_from(self.integer(width)?)?)
    }

    /// Seven bits a byte, the lowest first.
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            value |= part << shift;
            if byte & 0x80 == 0 {
                ensure(value >> shift == part && (byte != 0 || shift == 0), "a varint that is not in its only form")?;
                return Ok(value);
            }
        }
        Err("a varint is too long".into())
    }

    /// Bytes of a tree.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>> {
        let length = usize::try_from(self.varint()?)?;
        Ok(self.take(length)?.to_vec())
    }

    pub(crate) fn of_record(bytes: &'a [u8]) -> Result<Self> {
        let mut record = Self(bytes);
        ensure(record.u8()? == 1, "a record of an unknown version")?;
        Ok(record)
    }

    /// A string of a record, or a list of u8.
    pub(crate) fn octets(&mut self) -> Result<Vec<u8>> {
        let length = self.count(8)?;
        Ok(self.take(length)?.to_vec())
    }
}

pub(crate) fn ensure(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
