//! Extended attributes, and what is known when not all of them can be read.

use std::fmt;

use super::SourceError;

/// Names and values of extended attributes.
pub type ExtendedAttributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Attributes of which some are there and can not be read.
#[derive(Debug)]
pub struct UnreadAttributes {
    /// The others, sorted by name.
    pub read: ExtendedAttributes,
    /// Those, and why; without a name when not even the names can be read.
    pub unread: Vec<(Vec<u8>, SourceError)>,
}

impl From<SourceError> for UnreadAttributes {
    /// Nothing could be read.
    fn from(error: SourceError) -> Self {
        Self { read: Vec::new(), unread: vec![(Vec::new(), error)] }
    }
}

impl fmt::Display for UnreadAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, error)) in self.unread.iter().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            if name.is_empty() {
                write!(f, "attributes: {error}")?;
            } else {
                write!(f, "attribute {}: {error}", crate::error::escape(name))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for UnreadAttributes {}
