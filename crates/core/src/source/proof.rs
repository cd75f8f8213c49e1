//! What must be true of all bytes of a stream before it may be committed.

use crate::error::{OutputFailure, escape};

/// Bytes behind a trailer that are passed over: dump programs write a date or a token after it.
const BEHIND_TRAILER: usize = 4 << 10;

/// What is asked of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    /// An empty one is fine.
    pub(super) is_empty_allowed: bool,
    /// Fewer bytes can not be all of it.
    pub(super) least_bytes: u64,
    /// Stands in its last 4 KiB.
    pub(super) trailer: Vec<u8>,
}

/// Follows a stream.
#[derive(Debug)]
pub(super) struct Follower {
    proof: Proof,
    bytes: u64,
    /// The last bytes: all that a trailer can stand in, and at times twice as much.
    tail: Vec<u8>,
}

impl Follower {
    pub(super) fn new(proof: Proof) -> Self {
        Self { proof, bytes: 0, tail: Vec::new() }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.proof.trailer.is_empty() {
            return;
        }
        let kept = self.kept();
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(kept)..]);
        if self.tail.len() > 2 * kept {
            self.tail.drain(..self.tail.len() - kept);
        }
    }

    /// Passes when the bytes until here can be all of it.
    pub(super) fn check(&self) -> Result<(), OutputFailure> {
        if self.bytes == 0 && !self.proof.is_empty_allowed {
            return Err(OutputFailure::Empty);
        }
        // Who allows nothing at all has asked for less than any length.
        if self.bytes == 0 && self.proof.is_empty_allowed {
            return Ok(());
        }
        if self.bytes < self.proof.least_bytes {
            return Err(OutputFailure::TooShort { bytes: self.bytes, least: self.proof.least_bytes });
        }
        let trailer = &self.proof.trailer;
        let end = &self.tail[self.tail.len().saturating_sub(self.kept())..];
        if !trailer.is_empty() && !end.windows(trailer.len()).any(|window| window == trailer) {
            return Err(OutputFailure::NoTrailer { trailer: escape(trailer) });
        }
        Ok(())
    }

    fn kept(&self) -> usize {
        BEHIND_TRAILER + self.proof.trailer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(proof: &Proof, parts: &[&[u8]]) -> Result<(), OutputFailure> {
        let mut follower = Follower::new(proof.clone());
        parts.iter().for_each(|part| follower.take(part));
        follower.check()
    }

    #[test]
    fn nothing_is_a_failure_unless_it_is_allowed() {
        assert_eq!(outcome(&Proof::default(), &[]), Err(OutputFailure::Empty));
        assert_eq!(outcome(&Proof::default(), &[b"x"]), Ok(()));
        let proof = Proof { is_empty_allowed: true, least_bytes: 10, ..Proof::default() };
        assert_eq!(outcome(&proof, &[]), Ok(()));
        assert_eq!(outcome(&proof, &[b"123456789"]), Err(OutputFailure::TooShort { bytes: 9, least: 10 }));
        assert_eq!(outcome(&proof, &[b"12345", b"67890"]), Ok(()));
    }

    #[test]
    fn a_trailer_is_looked_for_near_the_end_however_the_bytes_came() {
        let proof = Proof { trailer: b"-- done".to_vec(), ..Proof::default() };
        let missing = Err(OutputFailure::NoTrailer { trailer: "-- done".into() });
        let much = vec![b'x'; 100_000];
        assert_eq!(outcome(&proof, &[&much, b"-- do", b"ne on", b" Sunday\n"]), Ok(()));
        assert_eq!(outcome(&proof, &[b"-- done", &much]), missing);
        assert_eq!(outcome(&proof, &[b"-- don"]), missing);
        let behind = vec![b'x'; BEHIND_TRAILER];
        assert_eq!(outcome(&proof, &[&much, b"-- done", &behind]), Ok(()));
        assert_eq!(outcome(&proof, &[&much, b"-- done", &behind, b"x"]), missing);
    }
}
