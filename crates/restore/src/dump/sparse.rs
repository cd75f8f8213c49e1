//! Files with holes in an archive, as GNU tar writes them (format 1.0): a map of what is there, and only that behind it.
//!
//! ```text
//! "2\n" · "0\n" "4096\n" · "1048576\n" "10\n" · zeros to the end of the block │ 4,096 bytes · 10 bytes · zeros
//! ```
//!
//! The pieces are gone through once to measure the map and once to write it: it is never held whole.

use lbak_core::tree::{LostPieces, PlacedPiece};

use super::header::BLOCK;

/// Bytes of a map that are handed on at once.
const MAP_PART: usize = 64 << 10;

/// How a file is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes that are there.
    pub(super) data: u64,
    /// Where the last piece ends.
    pub(super) end: u64,
    /// Some of it is a hole.
    pub(super) has_holes: bool,
    extents: u64,
    /// Bytes of the lines of the map behind the first one.
    lines: u64,
}

impl Layout {
    /// Measures the pieces of a file.
    pub(super) fn measure(
        pieces: &mut dyn Iterator<Item = Result<PlacedPiece, LostPieces>>,
    ) -> Result<Self, LostPieces> {
        let mut layout = Self::default();
        let mut extents = Extents::default();
        for placed in pieces {
            let PlacedPiece { offset, piece } = placed?;
            layout.end = offset.saturating_add(piece.length);
            if piece.chunk.is_some() {
                layout.data = layout.data.saturating_add(piece.length);
            } else {
                layout.has_holes = true;
            }
            layout.count(extents.next(offset, piece.length, piece.chunk.is_some()));
        }
        layout.count(extents.last(layout.end));
        Ok(layout)
    }

    fn count(&mut self, extent: Option<(u64, u64)>) {
        if let Some((offset, length)) = extent {
            self.extents += 1;
            self.lines += digits(offset) + digits(length) + 2;
        }
    }

    /// Bytes of the map with what fills up its last block.
    pub(super) fn map_bytes(&self) -> u64 {
        (digits(self.extents) + 1 + self.lines).next_multiple_of(BLOCK)
    }

    /// Writes the map of the same pieces. `take` gets it in parts.
    pub(super) fn map<E: From<LostPieces>>(
        &self,
        pieces: &mut dyn Iterator<Item = Result<PlacedPiece, LostPieces>>,
        take: &mut dyn FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut text = format!("{}\n", self.extents).into_bytes();
        let mut written = 0;
        let mut extents = Extents::default();
        let line = |text: &mut Vec<u8>, extent: Option<(u64, u64)>| {
            if let Some((offset, length)) = extent {
                text.extend_from_slice(format!("{offset}\n{length}\n").as_bytes());
            }
        };
        for placed in pieces {
            let PlacedPiece { offset, piece } = placed?;
            line(&mut text, extents.next(offset, piece.length, piece.chunk.is_some()));
            if text.len() >= MAP_PART {
                written += text.len() as u64;
                take(std::mem::take(&mut text))?;
            }
        }
        line(&mut text, extents.last(self.end));
        let zeros = self.map_bytes().saturating_sub(written + text.len() as u64);
        text.resize(text.len() + usize::try_from(zeros.min(BLOCK)).unwrap_or(0), 0);
        take(text)
    }
}

/// Joins pieces that touch.
#[derive(Default)]
struct Extents {
    open: Option<(u64, u64)>,
    ends_in_hole: bool,
}

impl Extents {
    /// Takes the next piece and returns an extent that ended before it.
    fn next(&mut self, offset: u64, length: u64, is_there: bool) -> Option<(u64, u64)> {
        self.ends_in_hole = !is_there;
        match (&mut self.open, is_there) {
            (Some((_, open)), true) => {
                *open += length;
                None
            }
            (None, true) => {
                self.open = Some((offset, length));
                None
            }
            (_, false) => self.open.take(),
        }
    }

    /// The extent that is still open. Behind a last hole, an empty one tells where the file ends.
    fn last(&mut self, end: u64) -> Option<(u64, u64)> {
        if self.ends_in_hole { Some((end, 0)) } else { self.open.take() }
    }
}

fn digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)) + 1
}

#[cfg(test)]
mod tests {
    use lbak_core::{id::ChunkId, tree::Piece};

    use super::*;

    fn pieces(lengths: &[(u64, bool)]) -> Vec<Result<PlacedPiece, LostPieces>> {
        let mut offset = 0;
        let place = |&(length, is_there): &(u64, bool)| {
            let piece = if is_there { Piece::data(length, ChunkId([1; 32])) } else { Piece::hole(length) };
            let placed = PlacedPiece { offset, piece };
            offset += length;
            Ok(placed)
        };
        lengths.iter().map(place).collect()
    }

    fn map(lengths: &[(u64, bool)]) -> (Layout, String) {
        let layout = Layout::measure(&mut pieces(lengths).into_iter()).expect("nothing is lost");
        let mut map = Vec::new();
        let take = &mut |part: Vec<u8>| {
            map.extend(part);
            Ok::<(), LostPieces>(())
        };
        layout.map(&mut pieces(lengths).into_iter(), take).expect("nothing is lost");
        assert_eq!(map.len() as u64, layout.map_bytes(), "{lengths:?}");
        let text = String::from_utf8(map).expect("text");
        (layout, text.trim_end_matches('\0').to_owned())
    }

    #[test]
    fn a_map_names_what_is_there_and_where_a_last_hole_ends() {
        assert_eq!(map(&[(10, true), (5, true), (100, false), (7, true)]).1, "2\n0\n15\n115\n7\n");
        assert_eq!(map(&[(100, false)]).1, "1\n100\n0\n");
        assert_eq!(map(&[(100, false), (1, true), (9, false)]).1, "2\n100\n1\n110\n0\n");
        let (layout, _) = map(&[(100, false), (1, true)]);
        assert_eq!((layout.data, layout.end, layout.has_holes), (1, 101, true));
    }

    #[test]
    fn a_long_map_is_written_in_parts_and_has_the_length_that_was_measured() {
        let lengths: Vec<(u64, bool)> = (0..20_001).map(|number| (4096, number % 2 == 0)).collect();
        let (layout, text) = map(&lengths);
        assert_eq!(layout.extents, 10_001);
        assert_eq!(text.lines().count(), 1 + 2 * 10_001);
    }
}
