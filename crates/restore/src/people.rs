//! Numbers of users and groups by their names on this machine, from the files that every Unix has.

use std::{collections::HashMap, path::Path};

/// Numbers by name.
#[derive(Debug, Default)]
pub(crate) struct People {
    users: HashMap<Vec<u8>, u32>,
    groups: HashMap<Vec<u8>, u32>,
}

impl People {
    /// Reads both files; what can not be read knows nobody.
    pub(crate) fn read() -> Self {
        let parse = |path| std::fs::read(Path::new(path)).map(|text| parse(&text)).unwrap_or_default();
        Self { users: parse("/etc/passwd"), groups: parse("/etc/group") }
    }

    pub(crate) fn user(&self, name: &[u8]) -> Option<u32> {
        self.users.get(name).copied()
    }

    pub(crate) fn group(&self, name: &[u8]) -> Option<u32> {
        self.groups.get(name).copied()
    }
}

/// Lines of `name:password:number:…`; the first number of a name counts.
fn parse(text: &[u8]) -> HashMap<Vec<u8>, u32> {
    let mut numbers = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        // NIS lines begin with + or -.
        if let (Some(number), false) = (number, matches!(name, [] | [b'+' | b'-' | b'#', ..])) {
            numbers.entry(name.to_vec()).or_insert(number);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_a_name_counts_and_odd_lines_do_not() {
        let numbers = parse(b"root:x:0:0::/root:/bin/sh\nroot:x:7\n+::\n#a:x:7\nodd\nb:x:y\n\xff:x:9:9");
        assert_eq!(numbers.len(), 2);
        assert_eq!((numbers[&b"root"[..]], numbers[&b"\xff"[..]]), (0, 9));
    }
}
