//! Names of users and groups, from the files that every Unix has.
//!
//! Directories of people elsewhere (LDAP, SSSD) would need the C library; their users are stored by number alone.

use std::{collections::HashMap, path::Path, sync::Arc};

/// Names by number.
#[derive(Debug, Default)]
pub(super) struct People {
    users: HashMap<u32, Arc<[u8]>>,
    groups: HashMap<u32, Arc<[u8]>>,
    nobody: Arc<[u8]>,
}

impl People {
    /// Reads both files; what can not be read knows no names.
    pub(super) fn read() -> Self {
        let parse = |path| std::fs::read(Path::new(path)).map(|text| parse(&text)).unwrap_or_default();
        Self { users: parse("/etc/passwd"), groups: parse("/etc/group"), nobody: Arc::default() }
    }

    pub(super) fn user(&self, uid: u32) -> Arc<[u8]> {
        Arc::clone(self.users.get(&uid).unwrap_or(&self.nobody))
    }

    pub(super) fn group(&self, gid: u32) -> Arc<[u8]> {
        Arc::clone(self.groups.get(&gid).unwrap_or(&self.nobody))
    }
}

/// Lines of `name:password:number:…`; the first name of a number counts.
fn parse(text: &[u8]) -> HashMap<u32, Arc<[u8]>> {
    let mut names = HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        // NIS lines begin with + or -.
        if let (Some(number), false) = (number, matches!(name, [] | [b'+' | b'-' | b'#', ..])) {
            names.entry(number).or_insert_with(|| Arc::from(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts_and_odd_lines_do_not() {
        let names = parse(b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0\n+::\n#a:x:7\nodd\nb:x:y\n\xff:x:9:9");
        assert_eq!(names.len(), 2);
        assert_eq!((&*names[&0], &*names[&9]), (&b"root"[..], &b"\xff"[..]));
    }
}
