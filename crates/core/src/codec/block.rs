//! Blocks: a run of chunks behind one codec byte, compressed when that pays.

use zstd::zstd_safe::CParameter;

use crate::error::{Error, Result};

/// Most plain bytes of a block: lengths are stored in 24 bits, also that of a raw block with its codec byte and tag.
pub const LARGEST_BLOCK: usize = (1 << 24) - 1 - 17;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// How hard to try to make blocks small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Store as it is.
    Off,
    /// zstd level 1.
    Fast,
    /// zstd level 3: the best trade on source code and checkpoints alike.
    #[default]
    Auto,
    /// zstd level 9.
    Better,
    /// zstd level 19: an order of magnitude slower.
    Max,
}

impl Compression {
    fn level(self) -> Option<i32> {
        match self {
            Self::Off => None,
            Self::Fast => Some(1),
            Self::Auto => Some(3),
            Self::Better => Some(9),
            Self::Max => Some(19),
        }
    }
}

/// An encoded block in two parts, to be stored one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(pub &'a [u8], pub &'a [u8]);

impl Encoded<'_> {
    /// Bytes of both.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len() + self.1.len()
    }

    /// Both in one.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        [self.0, self.1].concat()
    }
}

/// Encodes blocks; keeps its context from one to the next. One per worker.
pub struct BlockEncoder {
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl std::fmt::Debug for BlockEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockEncoder")
    }
}

impl BlockEncoder {
    /// An encoder that tries this hard.
    ///
    /// # Errors
    /// When zstd can not have its memory.
    pub fn new(compression: Compression) -> Result<Self> {
        let zstd = compression.level().map(compressor).transpose();
        Ok(Self { zstd: zstd.map_err(|source| Error::System { what: "memory to compress with", source })? })
    }

    /// Encodes a block: a codec byte and its payload, never longer than `plain` by more than that byte. What does not get shorter stays
    /// where it is; the rest is in `scratch`, whose content is lost.
    pub fn encode<'a>(&mut self, plain: &'a [u8], scratch: &'a mut Vec<u8>) -> Encoded<'a> {
        if let Some(zstd) = self.zstd.as_mut().filter(|_| plain.len() > 64)
            && (plain.len() < SAMPLED_FROM || looks_compressible(zstd, plain))
        {
            scratch.clear();
            // What does not shrink fails, or is found to be no shorter, and is stored raw.
            scratch.reserve_exact(plain.len());
            if let Ok(length) = zstd.compress_to_buffer(plain, scratch)
                && length < plain.len()
            {
                return Encoded(&[ZSTD], &scratch[..length]);
            }
        }
        Encoded(&[RAW], plain)
    }
}

/// zstd of this level, with tables for blocks of 2 MiB: at level 3 those that it would take by itself are half as large,
/// which costs source code 0.3 % more bytes and saves no time.
fn compressor(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut zstd = zstd::bulk::Compressor::new(level)?;
    if level == 3 {
        zstd.set_parameter(CParameter::HashLog(18))?;
        zstd.set_parameter(CParameter::ChainLog(17))?;
    }
    Ok(zstd)
}

/// Shorter blocks are compressed without a sample: failing costs as little as sampling.
const SAMPLED_FROM: usize = 64 << 10;
const SAMPLE: usize = 4 << 10;

/// Compresses three windows of 4 KiB and tells whether a thirty-second of them was saved.
///
/// Failing to compress costs zstd as much as reading the data a few times; a sample costs one per cent of that.
fn looks_compressible(zstd: &mut zstd::bulk::Compressor<'_>, plain: &[u8]) -> bool {
    let mut scratch = [0; SAMPLE - SAMPLE / 32];
    let last = plain.len() - SAMPLE;
    [last / 8, last / 2, last - last / 8]
        .into_iter()
        .any(|start| zstd.compress_to_buffer(&plain[start..start + SAMPLE], &mut scratch[..]).is_ok())
}

/// Decodes blocks; keeps its context from one to the next. One per worker.
pub struct BlockDecoder {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl std::fmt::Debug for BlockDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockDecoder")
    }
}

impl BlockDecoder {
    /// A decoder.
    ///
    /// # Errors
    /// When zstd can not have its memory.
    pub fn new() -> Result<Self> {
        let zstd = zstd::bulk::Decompressor::new();
        Ok(Self { zstd: zstd.map_err(|source| Error::System { what: "memory to decompress with", source })? })
    }

    /// Decodes an opened block: what it returns is exactly `plain_length` bytes, and lies in `opened` as it was stored, or in `scratch`
    /// when it had to be unpacked.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it does not give exactly that many, [`Error::Newer`] for a codec that this version does not know.
    pub fn decode<'a>(
        &mut self,
        object: &str,
        opened: &'a [u8],
        plain_length: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8]> {
        if plain_length > LARGEST_BLOCK {
            return Err(Error::damaged(object, format!("a block claims {plain_length} bytes")));
        }
        let plain = match opened.split_first() {
            Some((&RAW, payload)) => payload,
            Some((&ZSTD, payload)) => {
                scratch.clear();
                scratch.reserve_exact(plain_length);
                self.zstd
                    .decompress_to_buffer(payload, scratch)
                    .map_err(|error| Error::damaged(object, format!("a block does not decompress: {error}")))?;
                &scratch[..]
            }
            Some((codec, _)) => {
                return Err(Error::Newer { object: object.to_owned(), needs: format!("block codec {codec}") });
            }
            None => return Err(Error::damaged(object, "a block is empty")),
        };
        if plain.len() != plain_length {
            let found = plain.len();
            return Err(Error::damaged(object, format!("a block holds {found} bytes instead of {plain_length}")));
        }
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(compression: Compression, plain: &[u8]) -> Vec<u8> {
        let mut scratch = b"what was there".to_vec();
        let encoded = BlockEncoder::new(compression).expect("memory").encode(plain, &mut scratch);
        let stored = encoded.to_vec();
        assert_eq!(stored.len(), encoded.length());
        let mut scratch = vec![1; 3];
        let mut decoder = BlockDecoder::new().expect("memory");
        assert_eq!(decoder.decode("test", &stored, plain.len(), &mut scratch).expect("decode"), plain);
        stored
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn text_shrinks_and_noise_grows_by_one_byte() {
        let text = b"the same words again and again; ".repeat(10_000);
        assert!(round_trip(Compression::Auto, &text).len() < text.len() / 20);
        assert_eq!(round_trip(Compression::Off, &text).len(), text.len() + 1);
        for length in [0, 1, 64, 65, 1000, 1 << 20] {
            assert_eq!(round_trip(Compression::Auto, &noise(length)).len(), length + 1, "{length}");
        }
    }

    #[test]
    fn noise_with_text_somewhere_is_still_compressed() {
        let mixed = [noise(100_000), b"the same words again and again; ".repeat(30_000)].concat();
        assert!(round_trip(Compression::Auto, &mixed).len() < mixed.len() / 3);
    }

    #[test]
    fn a_block_gives_exactly_what_it_claims() {
        let mut scratch = Vec::new();
        let encoded = BlockEncoder::new(Compression::Auto).expect("memory").encode(&[7; 5000], &mut scratch);
        let encoded = encoded.to_vec();
        let mut decoder = BlockDecoder::new().expect("memory");
        let mut decode = |bytes: &[u8], length| decoder.decode("test", bytes, length, &mut Vec::new()).map(<[u8]>::len);
        assert!(decode(&encoded, 5000).is_ok());
        for wrong in [0, 4999, 5001, usize::MAX] {
            assert!(decode(&encoded, wrong).is_err(), "{wrong}");
        }
        for length in 0..encoded.len() {
            assert!(decode(&encoded[..length], 5000).is_err(), "cut at {length}");
        }
        // Whatever else may come out of a changed block, which its seal and its ids are there to find, it is not longer or shorter.
        for bit in 0..encoded.len() * 8 {
            let mut changed = encoded.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut plain = Vec::new();
            let outcome = BlockDecoder::new().expect("memory").decode("test", &changed, 5000, &mut plain);
            assert!(outcome.is_err() || outcome.is_ok_and(|plain| plain.len() == 5000), "bit {bit}");
        }
        assert!(matches!(decode(&[9, 1, 2], 2), Err(Error::Newer { .. })));
    }

    /// Others have unpacked all of a bomb before they looked how long it had become.
    #[test]
    fn what_unpacks_to_more_than_it_says_takes_no_more_room_than_it_says() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).expect("compress");
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        let mut plain = Vec::new();
        let stored = [&[ZSTD], &bomb[..]].concat();
        let outcome = BlockDecoder::new().expect("memory").decode("test", &stored, 5000, &mut plain);
        assert!(matches!(outcome, Err(Error::Damaged { .. })));
        assert!(plain.capacity() < 100_000, "{}", plain.capacity());
    }
}
