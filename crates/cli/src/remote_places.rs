//! Places that are no folders: addresses of stores that other programs know, and lbak does not yet.
//!
//! What stands before a first colon with no slash before it is an address, as for `scp` and `rsync`. A folder of such a name is
//! written `./s3:x`. Without this rule `-r s3:bucket` would make a folder of that name on the disk that is to be backed up.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use lbak::escape;

use crate::exit::Trouble;

/// How addresses begin, and what makes a folder of such a store.
const STORES: [(&[&str], &str, &str); 8] = [
    (&["s3", "minio", "b2", "swift", "azure", "abs", "gs", "gcs", "r2", "opendal"], "an object store", "rclone mount"),
    (&["rclone"], "a remote of rclone", "rclone mount"),
    (&["sftp", "ssh", "scp"], "a folder on another host", "sshfs"),
    (&["rest"], "a REST server", "its folder over NFS"),
    (&["http", "https", "webdav", "webdavs", "dav", "davs"], "a web server", "rclone mount"),
    (&["smb", "cifs"], "a share", "mount -t cifs"),
    (&["nfs"], "a share", "mount -t nfs"),
    (&["rsync", "ftp", "ftps"], "a server", "rclone mount"),
];

/// The folder that a repository's place names, or why it names none.
pub(crate) fn folder(named: &OsStr) -> Result<PathBuf, Trouble> {
    let bytes = named.as_bytes();
    let Some(colon) = bytes.iter().position(|byte| matches!(byte, b':' | b'/')).filter(|at| bytes[*at] == b':') else {
        return Ok(PathBuf::from(named));
    };
    let (before, behind) = (&bytes[..colon], &bytes[colon + 1..]);
    // restic's word for a folder.
    if before == b"local" && !behind.is_empty() {
        return Ok(PathBuf::from(OsString::from_vec(behind.to_vec())));
    }
    let word = String::from_utf8_lossy(before).to_lowercase();
    let shown = escape(bytes);
    if word == "file" {
        return Err(
            Trouble::usage(format!("`{shown}` is an address")).hint("write the folder's path alone: /mnt/backup")
        );
    }
    let known = STORES.iter().find(|(words, ..)| words.contains(&word.as_str()));
    let (what, how) = known.map_or(("a folder on another host", "sshfs"), |(_, what, how)| (*what, *how));
    let trouble = Trouble::usage(format!("`{shown}` is {what}: not supported yet, lbak keeps repositories in folders"));
    Err(trouble.hint(format!("mount it ({how}) and give that folder; a folder of this name is written ./{shown}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_folders_and_folders_are() {
        let read = |text: &str| folder(OsStr::new(text)).map_err(|trouble| trouble.to_string());
        for text in ["backup", "/mnt/b", "./s3:x", "/mnt/s3:x", "a/b:c", "../user@host:b", "/mnt/a://b"] {
            assert_eq!(read(text), Ok(PathBuf::from(text)));
        }
        assert_eq!(read("local:/srv/b"), Ok(PathBuf::from("/srv/b")));
        for text in ["s3:x", "S3:x", "b2:x:y", "rclone:r:b", "sftp:u@h:x", "rest:http://h/", "swift:c:/p", "azure:c:/"]
        {
            assert!(read(text).is_err_and(|error| error.contains("not supported yet")), "{text}");
        }
        for text in ["gs:b:/", "u@host:b", "host:/b", "ssh://u@h/b", "https://h/b", "s3://b", "host:b", ":b", "local:"]
        {
            assert!(read(text).is_err_and(|error| error.contains("not supported yet")), "{text}");
        }
        assert!(read("file:///mnt/b").is_err());
    }
}
