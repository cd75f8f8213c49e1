//! Many small files: 1 to 8 KiB each, a hundred in a directory, a hundred of those in one above.

use std::{
    error::Error,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use crate::content::{Content, Numbers};

const IN_DIRECTORY: u64 = 100;

/// What a file is called and how long it is.
fn file(folder: &Path, number: u64) -> (PathBuf, usize) {
    let directory = number / IN_DIRECTORY;
    let name = format!("{:03}/{:02}/record-{number:07}.json", directory / IN_DIRECTORY, directory % IN_DIRECTORY);
    (folder.join(name), 1_024 + (Numbers(number).draw() % (7 << 10)) as usize)
}

/// Makes the files in a new folder.
pub(crate) fn make(folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir(folder)?;
    let (content, mut buffer) = (Content::new(1), vec![0; 8 << 10]);
    for number in 0..count {
        let (path, length) = file(folder, number);
        if number % IN_DIRECTORY == 0 {
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
        }
        content.fill(number, &mut buffer[..length]);
        File::create_new(&path)?.write_all(&buffer[..length])?;
    }
    Ok(())
}

/// Fails unless the folder holds exactly these files.
pub(crate) fn check(folder: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let (content, mut expected, mut found) = (Content::new(1), vec![0; 8 << 10], Vec::new());
    for number in 0..count {
        let (path, length) = file(folder, number);
        content.fill(number, &mut expected[..length]);
        found.clear();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut found))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if found != expected[..length] {
            return Err(format!("{} is not what it was", path.display()).into());
        }
    }
    let there = files_below(folder)?;
    if there != count { Err(format!("{there} files instead of {count}").into()) } else { Ok(()) }
}

fn files_below(folder: &Path) -> Result<u64, Box<dyn Error>> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { files_below(&entry.path())? } else { 1 };
    }
    Ok(files)
}
