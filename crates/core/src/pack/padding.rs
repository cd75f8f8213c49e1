//! How long a pack becomes, so that its length tells little of what it holds.

/// The smallest pack, in bytes.
const SMALLEST: u64 = 16 << 10;
/// Lengths are multiples of this many bytes.
const STEP: u64 = 4 << 10;

/// Rounds a length up to a Padmé length that is a multiple of 4 KiB and at least 16 KiB.
///
/// Padmé (Nikitin and others, PETS 2019) keeps the top bits of a length and rounds the rest up: at most 12 % more,
/// 3 % from 1 MiB on, and an observer learns O(log log n) bits.
#[must_use]
pub fn padded_length(length: u64) -> u64 {
    let length = length.max(SMALLEST);
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let padme = length.next_multiple_of(1 << (exponent - kept));
    padme.next_multiple_of(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_grow_by_little_and_are_few() {
        let mut previous = 0;
        for length in (0..40 << 20).step_by(977) {
            let padded = padded_length(length);
            assert!(padded >= length && padded >= SMALLEST && padded.is_multiple_of(STEP));
            assert!(padded >= previous, "longer content is never a shorter pack");
            assert!(length < 1 << 20 || (padded - length) * 100 / length <= 3);
            assert_eq!(padded_length(padded), padded);
            previous = padded;
        }
        assert_eq!(padded_length(0), 16 << 10);
        assert_eq!(padded_length((16 << 20) - 1), 16 << 20);
        assert_eq!(padded_length((16 << 20) + 1), (16 << 20) + (512 << 10));
    }
}
