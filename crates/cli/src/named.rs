//! The paths that a snapshot is taken of: those of the command line, and those that lists name.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lbak::{Error, LocalSource};

use crate::{
    arguments::WantedArguments,
    exit::{Exit, Trouble},
};

/// No system takes a longer path.
const LONGEST: usize = 64 << 10;

/// What ends each path of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Nul,
}

/// Paths that were named, with where.
pub(crate) struct Named {
    /// The paths as they were given.
    pub(crate) paths: Vec<PathBuf>,
    lists: Vec<List>,
}

struct List {
    name: String,
    form: Form,
    /// The place of its first path among all.
    first: usize,
    /// The number of each path in the list, counted from 1.
    numbers: Vec<u64>,
}

impl Named {
    /// Takes the paths of the command line and reads the lists.
    pub(crate) fn read(paths: &[PathBuf], wanted: &WantedArguments) -> anyhow::Result<Self> {
        let mut named = Self { paths: paths.to_vec(), lists: Vec::new() };
        let files = wanted.files_from.iter().map(|file| (file, Form::Lines));
        let files: Vec<_> = files.chain(wanted.files_from0.iter().map(|file| (file, Form::Nul))).collect();
        if files.iter().filter(|(file, _)| is_standard_input(file)).count() > 1 {
            return Err(Trouble::usage("standard input can be read as one list only").into());
        }
        for (file, form) in files {
            if is_standard_input(file) {
                named.read_list("standard input".to_owned(), form, &mut io::stdin().lock())?;
            } else {
                let name = file.display().to_string();
                let opened = File::open(file).with_context(|| format!("cannot read {name}"))?;
                named.read_list(name, form, &mut BufReader::new(opened))?;
            }
        }
        if named.paths.is_empty() {
            let lists: Vec<&str> = named.lists.iter().map(|list| list.name.as_str()).collect();
            let what = format!("no path is named in {}: nothing was stored", lists.join(", "));
            return Err(Trouble::new(Exit::Failed, what).into());
        }
        Ok(named)
    }

    /// A source of all of them. One that is not there is told with its place in its list.
    pub(crate) fn source(&self) -> anyhow::Result<LocalSource> {
        LocalSource::new(&self.paths).map_err(|error| match &error {
            Error::Source { path, .. } => match self.place(path) {
                Some(place) => anyhow::Error::from(error).context(place),
                None => error.into(),
            },
            Error::TooLarge { .. } => {
                let hint = "name the directory that they lie in, and what is wanted of it with --include";
                Trouble::new(Exit::Failed, error.to_string()).hint(hint).into()
            }
            _ => error.into(),
        })
    }

    /// Where a path was named, if in a list.
    fn place(&self, path: &Path) -> Option<String> {
        let place = self.paths.iter().position(|named| named == path)?;
        let list = self.lists.iter().rfind(|list| list.first <= place)?;
        let number = list.numbers.get(place - list.first)?;
        let what = if list.form == Form::Lines { "line" } else { "path" };
        Some(format!("{what} {number} of {}", list.name))
    }

    /// Reads a list. Names are taken as they stand: nothing is a comment or a pattern, blanks count; only empty lines do not.
    fn read_list(&mut self, name: String, form: Form, reader: &mut dyn BufRead) -> anyhow::Result<()> {
        let end = if form == Form::Lines { b'\n' } else { 0 };
        let mut list = List { name, form, first: self.paths.len(), numbers: Vec::new() };
        for number in 1.. {
            let mut path = Vec::new();
            let limited = &mut Read::take(&mut *reader, LONGEST as u64);
            limited.read_until(end, &mut path).with_context(|| format!("cannot read {}", list.name))?;
            if path.is_empty() {
                break;
            }
            let is_ended = path.pop_if(|last| *last == end).is_some();
            let trouble = |what: &str| {
                let what = format!("{} of {} {what}: nothing was stored", ordinal(form, number), list.name);
                Err(Trouble::new(Exit::Failed, what).into())
            };
            match form {
                _ if !is_ended && path.len() == LONGEST => return trouble("is longer than any path"),
                Form::Lines if path.is_empty() => continue,
                Form::Lines if path.contains(&0) => {
                    return trouble("holds a NUL byte (--files-from0 reads such lists)");
                }
                Form::Nul if path.is_empty() => return trouble("is empty"),
                // Half a path may name something else.
                Form::Nul if !is_ended => return trouble("has no NUL byte behind it, so the list was cut off"),
                _ => {}
            }
            list.numbers.push(number);
            self.paths.push(PathBuf::from(std::ffi::OsString::from_vec(path)));
        }
        self.lists.push(list);
        Ok(())
    }
}

fn ordinal(form: Form, number: u64) -> String {
    format!("{} {number}", if form == Form::Lines { "line" } else { "path" })
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, list: &[u8]) -> Result<(Vec<String>, Vec<u64>), String> {
        let mut named = Named { paths: Vec::new(), lists: Vec::new() };
        named.read_list("list".to_owned(), form, &mut &*list).map_err(|error| error.to_string())?;
        let paths = named.paths.iter().map(|path| path.display().to_string()).collect();
        Ok((paths, named.lists.remove(0).numbers))
    }

    #[test]
    fn lines_are_names_as_they_stand() {
        let (paths, numbers) = read(Form::Lines, b"a\n\n# b \n*.c\n d").expect("a list");
        assert_eq!(paths, ["a", "# b ", "*.c", " d"]);
        assert_eq!(numbers, [1, 3, 4, 5]);
        assert!(read(Form::Lines, b"a\0b\0").expect_err("NUL").contains("line 1 of list holds a NUL byte"));
        assert!(read(Form::Lines, &vec![b'x'; LONGEST + 1]).expect_err("long").contains("longer than any path"));
    }

    #[test]
    fn a_list_that_was_cut_off_is_refused() {
        assert_eq!(read(Form::Nul, b"a\nb\0c\0").expect("a list").0, ["a\nb", "c"]);
        assert!(read(Form::Nul, b"a\0bc").expect_err("cut").contains("path 2 of list has no NUL byte behind it"));
        assert!(read(Form::Nul, b"a\0\0b\0").expect_err("empty").contains("path 2 of list is empty"));
        assert!(read(Form::Nul, b"").expect("a list").0.is_empty());
    }
}
