//! What a name may be. A name that breaks these rules could lead a restore out of its target.

/// Which names a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// One component of a path: every directory but the root tree of a snapshot.
    Component,
    /// An absolute, normal path: the root tree of a snapshot.
    AbsolutePath,
}

/// Longest name in bytes. Linux allows 255 in a component and 4,095 in a path; three items always fit in a node.
pub const NAME_LIMIT: usize = 4_096;

/// Tells what is wrong with a name.
///
/// # Errors
/// In words that complete "the name …".
pub fn check_name(rule: NameRule, name: &[u8]) -> Result<(), &'static str> {
    if name.len() > NAME_LIMIT {
        return Err("is longer than 4,096 bytes");
    }
    match rule {
        NameRule::Component => check_component(name),
        NameRule::AbsolutePath if name == b"/" => Ok(()),
        NameRule::AbsolutePath => {
            let Some(rest) = name.strip_prefix(b"/") else {
                return Err("is not an absolute path");
            };
            rest.split(|&byte| byte == b'/').try_for_each(check_component)
        }
    }
}

fn check_component(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" => Err("is empty"),
        b"." | b".." => Err("is a dot or two"),
        _ if name.contains(&b'/') => Err("contains a slash"),
        _ if name.contains(&0) => Err("contains a zero byte"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        for name in [&b""[..], b".", b"..", b"/", b"a/b", b"/a", b"a\0", &[b'x'; NAME_LIMIT + 1]] {
            assert!(check_name(NameRule::Component, name).is_err(), "{name:?}");
        }
        for name in [&b"a"[..], b"...", b"..a", b"\xff\n", b" ", b"\\", &[b'x'; NAME_LIMIT]] {
            assert!(check_name(NameRule::Component, name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn roots_are_absolute_and_normal() {
        for name in [&b""[..], b"a", b"//", b"/a/", b"//a", b"/a//b", b"/./a", b"/a/..", b"/a\0"] {
            assert!(check_name(NameRule::AbsolutePath, name).is_err(), "{name:?}");
        }
        for name in [&b"/"[..], b"/a", b"/a/b c/\xff"] {
            assert!(check_name(NameRule::AbsolutePath, name).is_ok(), "{name:?}");
        }
    }
}
