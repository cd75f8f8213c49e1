//! Tells how two directories differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use lbak_core::error::escape;
use rustix::{
    buffer::spare_capacity,
    fs::{lgetxattr, lgetxattr_query, llistxattr, llistxattr_query},
    io::Errno,
};

/// Lists every difference between two directories, one line each, the path first: what is missing, kind, content,
/// permission bits, owner, time of change to the nanosecond, targets of symbolic links, device numbers, which names
/// are hard links of one another, extended attributes. The directories themselves are compared too, as `/`.
///
/// Not compared are times of access and of change of status, inode numbers, and where holes are: a hole is zeros. What can
/// not be read is a difference.
#[must_use]
pub fn compare(left: &Path, right: &Path) -> Vec<String> {
    let mut comparison = Comparison { left, right, differences: Vec::new(), links: Default::default() };
    comparison.node(Path::new(""));
    comparison.hard_links();
    comparison.differences
}

struct Comparison<'a> {
    left: &'a Path,
    right: &'a Path,
    differences: Vec<String>,
    /// Files with several names, by device and inode, on either side.
    links: [BTreeMap<(u64, u64), BTreeSet<PathBuf>>; 2],
}

impl Comparison<'_> {
    fn node(&mut self, path: &Path) {
        if let Err(error) = self.try_node(path) {
            self.differ(path, format!("can not be compared: {error}"));
        }
    }

    fn try_node(&mut self, path: &Path) -> io::Result<()> {
        let (left, right) = (join(self.left, path), join(self.right, path));
        let (a, b) = (fs::symlink_metadata(&left)?, fs::symlink_metadata(&right)?);
        self.same(path, "kind", kind(&a), kind(&b));
        if kind(&a) != kind(&b) {
            return Ok(());
        }
        self.same(path, "mode", format!("{:o}", a.mode() & 0o7777), format!("{:o}", b.mode() & 0o7777));
        self.same(path, "owner", format!("{}:{}", a.uid(), a.gid()), format!("{}:{}", b.uid(), b.gid()));
        self.same(path, "mtime", time(&a), time(&b));
        self.attributes(path, &left, &right)?;
        for (side, status) in [&a, &b].into_iter().enumerate() {
            if !status.is_dir() && status.nlink() > 1 {
                self.links[side].entry((status.dev(), status.ino())).or_default().insert(path.to_owned());
            }
        }
        match kind(&a) {
            "directory" => self.directory(path, &left, &right)?,
            "file" => {
                if let Some(difference) = content(&left, &right)? {
                    self.differ(path, difference);
                }
            }
            "symbolic link" => {
                let target = |path: &Path| fs::read_link(path).map(|target| escape(target.as_os_str().as_bytes()));
                self.same(path, "target", target(&left)?, target(&right)?);
            }
            "device" => self.same(path, "device number", a.rdev().to_string(), b.rdev().to_string()),
            _ => {}
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path, left: &Path, right: &Path) -> io::Result<()> {
        let names = |folder: &Path| -> io::Result<BTreeSet<_>> {
            fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
        };
        let (left, right) = (names(left)?, names(right)?);
        for name in left.union(&right) {
            let child = path.join(name);
            match (left.contains(name), right.contains(name)) {
                (true, true) => self.node(&child),
                (true, false) => self.differ(&child, "missing on the right"),
                _ => self.differ(&child, "missing on the left"),
            }
        }
        Ok(())
    }

    fn attributes(&mut self, path: &Path, left: &Path, right: &Path) -> io::Result<()> {
        let (left, right) = (attributes(left)?, attributes(right)?);
        for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
            let show =
                |value: Option<&Vec<u8>>| value.map_or("nothing".into(), |value| format!("\"{}\"", escape(value)));
            self.same(path, &format!("attribute {}", escape(name)), show(left.get(name)), show(right.get(name)));
        }
        Ok(())
    }

    /// Compares by name which other names a file has. Names outside of the directories do not count.
    fn hard_links(&mut self) {
        let [left, right] = std::mem::take(&mut self.links).map(|groups| -> BTreeMap<PathBuf, String> {
            let groups = groups.into_values().filter(|names| names.len() > 1);
            groups
                .flat_map(|names| {
                    let shown = names.iter().map(|name| show(name)).collect::<Vec<_>>().join(" = ");
                    names.into_iter().map(move |name| (name, shown.clone()))
                })
                .collect()
        });
        for path in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
            let show = |links: Option<&String>| links.map_or("none".into(), Clone::clone);
            self.same(path, "hard links", show(left.get(path)), show(right.get(path)));
        }
    }

    fn same(&mut self, path: &Path, what: &str, left: impl Into<String>, right: impl Into<String>) {
        let (left, right) = (left.into(), right.into());
        if left != right {
            self.differ(path, format!("{what} is {left} on the left, {right} on the right"));
        }
    }

    fn differ(&mut self, path: &Path, how: impl Into<String>) {
        self.differences.push(format!("{}: {}", show(path), how.into()));
    }
}

/// Not `Path::join`, which would put a slash behind the directory for the empty path, and follow a link by it.
fn join(root: &Path, path: &Path) -> PathBuf {
    // The roots are given by the caller and may be links; below them nothing is followed.
    if path.as_os_str().is_empty() {
        fs::canonicalize(root).unwrap_or_else(|_| root.to_owned())
    } else {
        root.join(path)
    }
}

fn show(path: &Path) -> String {
    format!("/{}", escape(path.as_os_str().as_bytes()))
}

fn kind(status: &Metadata) -> &'static str {
    let kind = status.file_type();
    match () {
        () if kind.is_dir() => "directory",
        () if kind.is_file() => "file",
        () if kind.is_symlink() => "symbolic link",
        () if kind.is_fifo() => "named pipe",
        () if kind.is_socket() => "socket",
        () => "device",
    }
}

fn time(status: &Metadata) -> String {
    format!("{} s + {} ns", status.mtime(), status.mtime_nsec())
}

/// Compares two files piece by piece.
fn content(left: &Path, right: &Path) -> io::Result<Option<String>> {
    let (mut left, mut right) = (File::open(left)?, File::open(right)?);
    let (a, b) = (left.metadata()?.len(), right.metadata()?.len());
    if a != b {
        return Ok(Some(format!("size is {a} on the left, {b} on the right")));
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut offset = 0;
    loop {
        ours.clear();
        theirs.clear();
        (&mut left).take(1 << 16).read_to_end(&mut ours)?;
        (&mut right).take(1 << 16).read_to_end(&mut theirs)?;
        if let Some(at) = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs) {
            return Ok(Some(format!("byte {} differs", offset + at)));
        }
        if ours.len() != theirs.len() {
            return Ok(Some("was changed while it was compared".into()));
        }
        if ours.is_empty() {
            return Ok(None);
        }
        offset += ours.len();
    }
}

/// Reads every extended attribute; none where the file system has none.
fn attributes(path: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let size = match llistxattr_query(path) {
        Ok(size) => size,
        Err(errno) if errno == Errno::NOTSUP || errno == Errno::OPNOTSUPP => return Ok(BTreeMap::new()),
        Err(errno) => return Err(errno.into()),
    };
    let mut names = Vec::<u8>::with_capacity(size);
    if size > 0 {
        llistxattr(path, spare_capacity(&mut names))?;
    }
    let mut attributes = BTreeMap::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let size = lgetxattr_query(path, OsStr::from_bytes(name))?;
        let mut value = Vec::with_capacity(size);
        if size > 0 {
            lgetxattr(path, OsStr::from_bytes(name), spare_capacity(&mut value))?;
        }
        attributes.insert(name.to_vec(), value);
    }
    Ok(attributes)
}
