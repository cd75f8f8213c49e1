//! A source that is made in code: for tests, examples, and embedders whose files lie on no disk.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Directory, ExtendedAttributes, Found, Listing, Portion, Source, SourceError, SourceErrorKind, SourceFile,
    SourceKind, UnreadAttributes,
};
use crate::metadata::{FileKind, Metadata};

/// A tree in memory.
///
/// ```
/// use lbak_core::source::{MemoryNode, MemorySource};
/// let source = MemorySource::new([
///     ("/etc", MemoryNode::directory([
///         ("hosts", MemoryNode::file("127.0.0.1 localhost\n")),
///         ("mtab", MemoryNode::symlink("/proc/mounts")),
///     ])),
/// ]);
/// # let _ = source;
/// ```
#[derive(Clone, Debug)]
pub struct MemorySource {
    roots: Arc<MemoryDirectory>,
}

/// Something in a [`MemorySource`].
#[derive(Clone, Debug)]
pub struct MemoryNode {
    /// What a listing shows. The size of a file and the kind are set by the constructors, an inode of 0 by the source.
    pub metadata: Metadata,
    /// Extended attributes, sorted by name.
    pub attributes: ExtendedAttributes,
    content: MemoryContent,
    trouble: Option<SourceErrorKind>,
}

#[derive(Clone, Debug)]
enum MemoryContent {
    File(Arc<[MemoryPart]>),
    Directory(Arc<MemoryDirectory>),
    Symlink(Vec<u8>),
    Other,
}

#[derive(Clone, Debug)]
enum MemoryPart {
    Data(Vec<u8>),
    Hole(u64),
}

#[derive(Clone, Debug, Default)]
struct MemoryDirectory(BTreeMap<Vec<u8>, MemoryNode>);

impl MemorySource {
    /// A source of these roots: absolute, normal paths, no one below another.
    pub fn new<N: Into<Vec<u8>>>(roots: impl IntoIterator<Item = (N, MemoryNode)>) -> Self {
        let mut roots: BTreeMap<_, _> = roots.into_iter().map(|(path, node)| (path.into(), node)).collect();
        let mut inode = 1;
        roots.values_mut().for_each(|node| node.number(&mut inode));
        Self { roots: Arc::new(MemoryDirectory(roots)) }
    }
}

impl Source for MemorySource {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::<MemoryDirectory>::clone(&self.roots))
    }
}

impl MemoryNode {
    fn new(kind: FileKind, mode: u32, content: MemoryContent) -> Self {
        let metadata = Metadata { kind, mode, links: 1, device: 1, ..Metadata::default() };
        Self { metadata, attributes: Vec::new(), content, trouble: None }
    }

    /// A file of these bytes.
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self::sparse_file([(0, bytes.into())])
    }

    /// A file of holes with bytes behind each.
    pub fn sparse_file(parts: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Self {
        let (mut content, mut size, mut allocated) = (Vec::new(), 0, 0);
        for (hole, bytes) in parts {
            size += hole + bytes.len() as u64;
            allocated += bytes.len() as u64;
            if hole > 0 {
                content.push(MemoryPart::Hole(hole));
            }
            if !bytes.is_empty() {
                content.push(MemoryPart::Data(bytes));
            }
        }
        let mut node = Self::new(FileKind::File, 0o644, MemoryContent::File(content.into()));
        (node.metadata.size, node.metadata.allocated) = (size, allocated);
        node
    }

    /// A directory of these names.
    pub fn directory<N: Into<Vec<u8>>>(entries: impl IntoIterator<Item = (N, Self)>) -> Self {
        let entries = entries.into_iter().map(|(name, node)| (name.into(), node)).collect();
        Self::new(FileKind::Directory, 0o755, MemoryContent::Directory(Arc::new(MemoryDirectory(entries))))
    }

    /// A symbolic link.
    pub fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self::new(FileKind::Symlink, 0o777, MemoryContent::Symlink(target.into()))
    }

    /// A FIFO, a socket or a device.
    #[must_use]
    pub fn special(kind: FileKind, major: u32, minor: u32) -> Self {
        let mut node = Self::new(kind, 0o600, MemoryContent::Other);
        (node.metadata.major, node.metadata.minor) = (major, minor);
        node
    }

    /// The same, but it can not be opened: to see what becomes of trouble.
    #[must_use]
    pub fn with_trouble(mut self, kind: SourceErrorKind) -> Self {
        self.trouble = Some(kind);
        self
    }

    /// Gives inodes to all that has none.
    fn number(&mut self, inode: &mut u64) {
        if self.metadata.inode == 0 {
            self.metadata.inode = *inode;
            *inode += 1;
        }
        if let MemoryContent::Directory(directory) = &mut self.content {
            Arc::make_mut(directory).0.values_mut().for_each(|node| node.number(inode));
        }
    }
}

impl MemoryDirectory {
    fn node(&self, name: &[u8]) -> Result<&MemoryNode, SourceError> {
        let node = self.0.get(name).ok_or_else(|| SourceError::new(SourceErrorKind::Vanished, "no such name"))?;
        match node.trouble {
            Some(kind) => Err(SourceError::new(kind, "it was made to fail")),
            None => Ok(node),
        }
    }
}

fn changed() -> SourceError {
    SourceError::new(SourceErrorKind::Changed, "it is of another kind")
}

impl Directory for MemoryDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        let found: Vec<_> = self
            .0
            .iter()
            .map(|(name, node)| Ok(Found { name: name.clone(), metadata: node.metadata.clone() }))
            .collect();
        Ok(Box::new(found.into_iter()))
    }

    fn directory(&self, name: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        match &self.node(name)?.content {
            MemoryContent::Directory(directory) => Ok(Arc::<Self>::clone(directory)),
            _ => Err(changed()),
        }
    }

    fn file(&self, name: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        let node = self.node(name)?;
        match &node.content {
            MemoryContent::File(parts) => Ok(Box::new(MemoryFile {
                metadata: node.metadata.clone(),
                attributes: node.attributes.clone(),
                parts: Arc::clone(parts),
                part: 0,
                offset: 0,
            })),
            _ => Err(changed()),
        }
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        match &self.node(name)?.content {
            MemoryContent::Symlink(target) => Ok(target.clone()),
            _ => Err(changed()),
        }
    }

    fn attributes(&self, name: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(self.node(name)?.attributes.clone())
    }
}

#[derive(Debug)]
struct MemoryFile {
    metadata: Metadata,
    attributes: ExtendedAttributes,
    parts: Arc<[MemoryPart]>,
    part: usize,
    offset: usize,
}

impl SourceFile for MemoryFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        match self.parts.get(self.part) {
            None => Ok(Portion::End),
            Some(MemoryPart::Hole(bytes)) => {
                self.part += 1;
                Ok(Portion::Hole(*bytes))
            }
            Some(MemoryPart::Data(bytes)) => {
                let rest = bytes.get(self.offset..).unwrap_or_default();
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                self.offset += length;
                if self.offset == bytes.len() {
                    (self.part, self.offset) = (self.part + 1, 0);
                }
                Ok(Portion::Data(length))
            }
        }
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        Ok(self.metadata.clone())
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(self.attributes.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_made_in_code_is_read_like_any_other() {
        let sparse = MemoryNode::sparse_file([(4096, b"tail".to_vec()), (10, vec![])]);
        let source = MemorySource::new([(
            "/r",
            MemoryNode::directory([
                ("z", MemoryNode::symlink("a")),
                ("a", sparse),
                ("b", MemoryNode::file("x").with_trouble(SourceErrorKind::Denied)),
            ]),
        )]);
        let roots = source.roots().expect("roots");
        let root = roots.entries().expect("list").next().expect("one").expect("found");
        let directory = roots.directory(&root.name, &root.metadata).expect("open");
        let found: Vec<Found> = directory.entries().expect("list").map(|found| found.expect("found")).collect();
        assert!(found.iter().map(|found| found.name.as_slice()).eq([b"a", b"b", b"z"]));
        let mut inodes: Vec<u64> = found.iter().map(|found| found.metadata.inode).collect();
        inodes.dedup();
        assert_eq!(inodes.len(), 3);

        let mut file = directory.file(b"a", &found[0].metadata).expect("open");
        let mut portions = Vec::new();
        while portions.last() != Some(&Portion::End) {
            portions.push(file.read(&mut [0; 3]).expect("read"));
        }
        let expected = [Portion::Hole(4096), Portion::Data(3), Portion::Data(1), Portion::Hole(10), Portion::End];
        assert_eq!(portions, expected);
        let refused = directory.file(b"b", &found[1].metadata).err().expect("trouble");
        assert_eq!(refused.kind, SourceErrorKind::Denied);
        assert_eq!(directory.link_target(b"z").expect("link"), b"a");
        assert_eq!(directory.link_target(b"a").expect_err("a file").kind, SourceErrorKind::Changed);
    }
}
