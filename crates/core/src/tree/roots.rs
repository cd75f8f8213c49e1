//! The roots of a snapshot: none may lie below another, for what stands there could be a link that a restore has just made.

use crate::error::escape;

/// The roots that were met, in the order of their names: those that the next ones begin with.
#[derive(Debug, Default)]
pub struct Roots(Vec<Vec<u8>>);

impl Roots {
    /// Takes the next one; tells what is wrong when it lies below one that was met before.
    pub fn meet(&mut self, name: &[u8]) -> Option<String> {
        // What stands between a name and what lies below it begins with that name, too.
        while self.0.last().is_some_and(|last| !name.starts_with(last)) {
            self.0.pop();
        }
        let is_above = |above: &&Vec<u8>| match name.strip_prefix(above.as_slice()) {
            Some(below) => below.starts_with(b"/") || (*above == b"/" && !below.is_empty()),
            None => false,
        };
        let told = self.0.iter().find(is_above).map(|above| {
            let (name, above) = (escape(name), escape(above));
            format!("its root \"{name}\" lies below another, \"{above}\": nobody restores that")
        });
        self.0.push(name.to_vec());
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_below_another_is_told_whatever_stands_between_them() {
        let told = |names: &[&str]| {
            let mut roots = Roots::default();
            names.iter().map(|name| roots.meet(name.as_bytes()).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(told(&["/", "/a"]), [false, true]);
        assert_eq!(told(&["/a", "/a b", "/a-/c", "/a/b", "/a/b/c", "/b"]), [false, false, false, true, true, false]);
        assert_eq!(told(&["/a/b", "/a/bc", "/a/c", "/ab"]), [false; 4]);
        assert_eq!(told(&["/"]), [false]);
    }
}
