//! Files that say of the directory they lie in that its contents are not wanted.

use super::{
    super::{Directory, Found, Portion, SourceFile},
    SelectionRules,
};
use crate::{
    error::{Error, Result},
    metadata::FileKind,
    observe::Exclusion,
};

/// Name and first bytes of the tag that programs put into their caches, <https://bford.info/cachedir/>.
const CACHE_TAG: (&[u8], &[u8]) = (b"CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55");

/// A name that marks a directory, perhaps only with certain first bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    name: Vec<u8>,
    header: Vec<u8>,
}

impl Marker {
    /// A marker of this name. With a header it must be a regular file that begins with it; without one, whatever has the name
    /// is a marker.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is not the name of anything in a directory.
    pub fn new(name: impl Into<Vec<u8>>, header: impl Into<Vec<u8>>) -> Result<Self> {
        let name = name.into();
        if name.contains(&b'/') || matches!(&name[..], b"" | b"." | b"..") {
            let what = format!("\"{}\" is not the name of a file in a directory", crate::error::escape(&name));
            return Err(Error::Invalid { what });
        }
        Ok(Self { name, header: header.into() })
    }
}

/// All markers that count.
pub(super) struct Signs {
    signs: Vec<(Marker, Exclusion)>,
    last: Option<Vec<u8>>,
}

impl Signs {
    pub(super) fn new(rules: &SelectionRules) -> Self {
        let mut signs: Vec<_> = rules.exclude_marked.iter().map(|marker| (marker.clone(), Exclusion::Marked)).collect();
        if rules.exclude_caches {
            let (name, header) = CACHE_TAG;
            signs.push((Marker { name: name.to_vec(), header: header.to_vec() }, Exclusion::Cache));
        }
        let last = signs.iter().map(|(marker, _)| marker.name.clone()).max();
        Self { signs, last }
    }

    /// The last name, in their order, that may be one.
    pub(super) fn last(&self) -> Option<&[u8]> {
        self.last.as_deref()
    }

    /// Tells what a name of a directory means for the others, if it is a marker. One that can not be read is none: then its
    /// directory is read, and the trouble with it is found.
    pub(super) fn read(&self, directory: &dyn Directory, found: &Found) -> Option<Exclusion> {
        let is_named = |marker: &Marker| marker.name == found.name;
        self.signs
            .iter()
            .find(|(marker, _)| is_named(marker) && begins_with(directory, found, &marker.header))
            .map(|(_, exclusion)| *exclusion)
    }
}

fn begins_with(directory: &dyn Directory, found: &Found, header: &[u8]) -> bool {
    if header.is_empty() {
        return true;
    }
    if found.metadata.kind != FileKind::File {
        return false;
    }
    let file = directory.file(&found.name, &found.metadata);
    file.is_ok_and(|mut file| first_bytes(&mut *file, header.len()).is_some_and(|bytes| bytes == header))
}

fn first_bytes(file: &mut dyn SourceFile, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        filled += match file.read(bytes.get_mut(filled..)?).ok()? {
            Portion::Data(read) => read,
            Portion::Hole(zeros) => usize::try_from(zeros).unwrap_or(length).min(length - filled),
            Portion::End => return None,
        };
    }
    Some(bytes)
}
