//! A file system in this process whose files do what a test says: they come slowly, fail, vanish, or stop answering.
//!
//! The kernel's own protocol (`linux/fuse.h`, version 7.31), as much of it as reading one folder takes; no library, no helper but `mount`. A
//! server that stops answering looks to who reads like a network share whose other end is gone.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use lbak_testkit::not_run;

/// What happens to whoever reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// It is read like any other.
    Sound,
    /// Each read waits so long.
    Slow(Duration),
    /// From this offset on, reads fail with this number.
    Fails { from: u64, errno: i32 },
    /// It is listed, and gone when it is opened.
    Vanishes,
    /// When it was read up to this offset, or opened, nobody answers any more, not for any other file either.
    ///
    /// What is asked for then is not even heard of: of what was heard, the kernel lets nobody go, killed or not.
    Stalls { from: u64 },
}

/// A file, and what it does. Its content is a byte that repeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) size: u64,
    pub(crate) byte: u8,
    pub(crate) conduct: Conduct,
}

/// A mounted folder; it is gone with this value.
pub(crate) struct Folder {
    path: PathBuf,
    server: Option<JoinHandle<()>>,
    /// The device stays open until the server goes on.
    release: mpsc::Sender<()>,
    stalled: Arc<Mutex<bool>>,
}

impl Folder {
    /// Mounts a folder of these files; `None`, and a word about it, where that is not allowed.
    pub(crate) fn mount<const N: usize>(path: &Path, files: [(&str, Served); N]) -> Option<Self> {
        let opened = File::options().read(true).write(true).open("/dev/fuse");
        let Ok(device) = opened else {
            not_run("no /dev/fuse here");
            return None;
        };
        let files: BTreeMap<u64, (String, Served)> =
            (FIRST..).zip(files).map(|(number, (name, served))| (number, (name.to_owned(), served))).collect();
        let (release, released) = mpsc::channel();
        let stalled = Arc::new(Mutex::new(false));
        // The mount itself asks for nothing, so that it may come before the server.
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0,allow_other";
        let mut mount = Command::new("mount");
        mount.args(["-i", "-t", "fuse", "-o", options, "lbak-test"]).arg(path);
        mount.stdin(Stdio::from(device.try_clone().expect("a descriptor"))).stdout(Stdio::null()).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            not_run("nobody may mount here");
            return None;
        }
        let server = Server { device, files, released, stalled: Arc::clone(&stalled) };
        let server = std::thread::spawn(move || server.run());
        Some(Self { path: path.to_owned(), server: Some(server), release, stalled })
    }

    /// Tells whether somebody waits for what does not come.
    pub(crate) fn is_stalled(&self) -> bool {
        *self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.release.send(());
        // Lazily: whoever still has a file open must not keep it mounted.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

const ROOT: u64 = 1;
const FIRST: u64 = 2;
const OPEN: u32 = 14;
const READ: u32 = 15;
const NAME_MISSING: i32 = 2;
const NOT_KNOWN: i32 = 38;

struct Server {
    device: File,
    files: BTreeMap<u64, (String, Served)>,
    released: mpsc::Receiver<()>,
    stalled: Arc<Mutex<bool>>,
}

/// What the kernel asks for.
struct Request<'a> {
    operation: u32,
    unique: u64,
    node: u64,
    body: &'a [u8],
}

impl Request<'_> {
    fn number(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.body[at..at + 8].try_into().expect("eight bytes"))
    }

    fn small(&self, at: usize) -> u64 {
        u64::from(u32::from_le_bytes(self.body[at..at + 4].try_into().expect("four bytes")))
    }
}

impl Server {
    fn run(mut self) {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let length = match self.device.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted || error.kind() == ErrorKind::NotFound => continue,
                // It was unmounted.
                Err(_) => return,
            };
            let word = |at: usize| u64::from_le_bytes(buffer[at..at + 8].try_into().expect("a header"));
            let operation = u32::from_le_bytes(buffer[4..8].try_into().expect("a header"));
            let request = Request { operation, unique: word(8), node: word(16), body: &buffer[40..length] };
            let reply = self.answer(&request);
            let Some(reply) = reply else { continue };
            let (error, body) = reply.map_or_else(|errno| (-errno, Vec::new()), |body| (0, body));
            let mut bytes = u32::try_from(16 + body.len()).expect("a short reply").to_le_bytes().to_vec();
            bytes.extend_from_slice(&error.to_le_bytes());
            bytes.extend_from_slice(&request.unique.to_le_bytes());
            bytes.extend_from_slice(&body);
            // Whoever asked may have been killed.
            let _: io::Result<usize> = self.device.write(&bytes);
            if self.is_to_stall(&request) {
                *self.stalled.lock().unwrap_or_else(PoisonError::into_inner) = true;
                let _ = self.released.recv();
            }
        }
    }

    /// `None` where no answer is expected.
    fn answer(&self, request: &Request<'_>) -> Option<Result<Vec<u8>, i32>> {
        Some(match request.operation {
            // Forgotten nodes, interrupted requests.
            2 | 36 | 42 => return None,
            26 => Ok(init()),
            1 => self.look_up(request.body),
            3 => self.attributes(request.node).map(|attributes| [vec![0; 16], attributes].concat()),
            OPEN => self.open(request.node),
            27 => Ok(vec![0; 16]),
            READ => self.read(request),
            28 => Ok(self.names(request.number(8), request.small(16))),
            // Closed, let in.
            18 | 29 | 34 => Ok(Vec::new()),
            17 => Ok(vec![0; 80]),
            _ => Err(NOT_KNOWN),
        })
    }

    /// Tells whether this was the last request that is answered.
    fn is_to_stall(&self, request: &Request<'_>) -> bool {
        let Some((_, Served { conduct: Conduct::Stalls { from }, .. })) = self.files.get(&request.node) else {
            return false;
        };
        match request.operation {
            OPEN => *from == 0,
            READ => request.number(8) + request.small(16) >= *from,
            _ => false,
        }
    }

    fn look_up(&self, body: &[u8]) -> Result<Vec<u8>, i32> {
        let name = body.split(|&byte| byte == 0).next().unwrap_or_default();
        let (number, _) = self.files.iter().find(|(_, (known, _))| known.as_bytes() == name).ok_or(NAME_MISSING)?;
        // The node, its generation, and for how long all that holds: not at all.
        Ok([number.to_le_bytes().to_vec(), vec![0; 32], self.attributes(*number)?].concat())
    }

    fn attributes(&self, node: u64) -> Result<Vec<u8>, i32> {
        let (mode, size, links) = match node {
            ROOT => (0o040_755_u32, 0, 2_u32),
            _ => (0o100_644, self.files.get(&node).ok_or(NAME_MISSING)?.1.size, 1),
        };
        let time = 1_700_000_000_u64;
        let mut bytes = Vec::new();
        for number in [node, size, size.div_ceil(512), time, time, time] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [0, 0, 0, mode, links, 0, 0, 0, 4096, 0] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Ok(bytes)
    }

    fn open(&self, node: u64) -> Result<Vec<u8>, i32> {
        let (_, served) = self.files.get(&node).ok_or(NAME_MISSING)?;
        if served.conduct == Conduct::Vanishes {
            return Err(NAME_MISSING);
        }
        // Past the page cache: each read comes here. And nothing is asked when it is closed, which even whoever is killed waits for.
        let flags = 1_u32 | (1 << 5);
        Ok([vec![0; 8], flags.to_le_bytes().to_vec(), vec![0; 4]].concat())
    }

    fn read(&self, request: &Request<'_>) -> Result<Vec<u8>, i32> {
        let (_, served) = self.files.get(&request.node).ok_or(NAME_MISSING)?;
        let (offset, wanted) = (request.number(8), request.small(16));
        match served.conduct {
            Conduct::Slow(time) => std::thread::sleep(time),
            Conduct::Fails { from, errno } if offset >= from => return Err(errno),
            _ => {}
        }
        let length = served.size.saturating_sub(offset).min(wanted);
        Ok(vec![served.byte; usize::try_from(length).expect("a read is short")])
    }

    fn names(&self, offset: u64, room: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (place, (number, (name, _))) in (1_u64..).zip(&self.files) {
            if place <= offset {
                continue;
            }
            let mut entry = [number.to_le_bytes(), place.to_le_bytes()].concat();
            entry.extend_from_slice(&u32::try_from(name.len()).expect("a short name").to_le_bytes());
            entry.extend_from_slice(&8_u32.to_le_bytes());
            entry.extend_from_slice(name.as_bytes());
            entry.resize(entry.len().next_multiple_of(8), 0);
            if (bytes.len() + entry.len()) as u64 > room {
                break;
            }
            bytes.extend_from_slice(&entry);
        }
        bytes
    }
}

/// Version 7.31, no features, and how much may be written, which nobody does.
fn init() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [7_u32, 31, 128 << 10, 0, 0, 4096, 1, 0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.resize(64, 0);
    bytes
}
