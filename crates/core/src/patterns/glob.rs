//! Globs for whole paths: globs for names with slashes between them, and `**` for any directories.
//!
//! They are taken apart at every `**` into runs of names. The first run has to be at the front, the last at the end, and each
//! in between is best found as early as it can be: so that nothing has to be tried twice, and no glob takes long.

use super::{
    class::ByteSet,
    name::{NameGlob, Token},
};

/// What a path, without a slash at its front, has to look like.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    /// Runs of names; between two of them any directories may stand. The first may be empty, no other is.
    runs: Vec<Vec<NameGlob>>,
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// Says why nothing can match it.
    pub(super) fn parse(text: &[u8], any_case: bool) -> Result<Self, &'static str> {
        let mut glob = Self { runs: vec![Vec::new()] };
        let mut name = NameGlob::default();
        let mut rest = text;
        loop {
            rest = match rest {
                [] => {
                    glob.end(name, any_case)?;
                    return Ok(glob);
                }
                [b'/', behind @ ..] | [b'\\', b'/', behind @ ..] => {
                    glob.end(std::mem::take(&mut name), any_case)?;
                    behind
                }
                [b'\\', byte, behind @ ..] => {
                    name.push(Token::Byte(*byte));
                    behind
                }
                [b'\\'] => return Err("a `\\` at the end takes nothing as it is (`\\\\` is the backslash itself)"),
                [b'*', b'*', behind @ ..] => {
                    match without_stars(behind) {
                        [b'/', behind @ ..] if name.is_empty() => {
                            glob.any_directories();
                            behind
                        }
                        // At the end, and where the slash is escaped, it stands for one name at least.
                        behind @ ([] | [b'\\', b'/', ..]) if name.is_empty() => {
                            glob.any_directories();
                            name.push(Token::Star);
                            behind
                        }
                        behind => {
                            name.push(Token::Star);
                            behind
                        }
                    }
                }
                [b'*', behind @ ..] => {
                    name.push(Token::Star);
                    behind
                }
                [b'?', behind @ ..] => {
                    name.push(Token::AnyByte);
                    behind
                }
                [b'[', behind @ ..] => {
                    let (set, behind) = ByteSet::parse(behind, any_case)?;
                    name.push(Token::Set(Box::new(set)));
                    behind
                }
                [byte, behind @ ..] => {
                    name.push(Token::Byte(*byte));
                    behind
                }
            };
        }
    }

    /// The same at any depth.
    pub(super) fn anywhere(mut self) -> Self {
        if self.runs.first().is_some_and(|first| !first.is_empty()) {
            self.runs.insert(0, Vec::new());
        }
        self
    }

    fn end(&mut self, name: NameGlob, any_case: bool) -> Result<(), &'static str> {
        if name.is_empty() {
            return Err("it has a slash with no name beside it");
        }
        let name = if any_case { name.folded() } else { name };
        if name.is_impossible() {
            return Err("no name looks like that: nothing is called `.` or `..`, and `[/]` is no byte");
        }
        if let Some(run) = self.runs.last_mut() {
            run.push(name);
        }
        Ok(())
    }

    fn any_directories(&mut self) {
        // The first may be empty; behind another `**` one more means nothing.
        if self.runs.len() == 1 || self.runs.last().is_some_and(|run| !run.is_empty()) {
            self.runs.push(Vec::new());
        }
    }

    /// Tells whether a path looks like that.
    pub(super) fn is_match(&self, path: &[u8]) -> bool {
        let Some((first, others)) = self.runs.split_first() else { return false };
        let Some(mut rest) = Rest::of(path).behind(first) else { return false };
        let Some((last, between)) = others.split_last() else { return rest.is_at_end() };
        for run in between {
            rest = loop {
                if let Some(behind) = rest.behind(run) {
                    break behind;
                }
                match rest.split_first() {
                    Some((_, behind)) => rest = behind,
                    None => return false,
                }
            };
        }
        rest.ends_with(last)
    }

    /// Tells whether something below a directory of this path can look like that. Behind a `**` it always can.
    pub(super) fn may_match_below(&self, path: &[u8]) -> bool {
        let Some(first) = self.runs.first() else { return false };
        let mut rest = Rest::of(path);
        for (place, glob) in first.iter().enumerate() {
            rest = match rest.split_first() {
                None => return true,
                Some((name, behind)) if glob.is_match(name) => behind,
                Some(_) => return false,
            };
            if place + 1 == first.len() && self.runs.len() == 1 {
                return false;
            }
        }
        true
    }

    /// The one path that it stands for, if there is no choice.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        let names = self.literal_names();
        (self.runs.len() == 1 && names.len() == self.runs.first()?.len()).then(|| names.join(&b'/'))
    }

    /// The names at its front that leave no choice.
    pub(super) fn literal_names(&self) -> Vec<Vec<u8>> {
        self.runs.first().map(|run| run.iter().map_while(NameGlob::literal).collect()).unwrap_or_default()
    }

    /// How many names there are before the last name, or before a `**`.
    pub(super) fn names_above(&self) -> usize {
        let first = self.runs.first().map_or(0, Vec::len);
        if self.runs.len() == 1 { first.saturating_sub(1) } else { first }
    }

    /// Tells whether any directories may stand before all else.
    pub(super) fn begins_anywhere(&self) -> bool {
        self.runs.len() > 1 && self.runs.first().is_some_and(Vec::is_empty)
    }

    /// Tells whether there is any directories in it.
    pub(super) fn has_any_directories(&self) -> bool {
        self.runs.len() > 1
    }

    /// The last name, which is that of what is meant.
    pub(super) fn last_name(&self) -> Option<&NameGlob> {
        self.runs.last()?.last()
    }
}

fn without_stars(text: &[u8]) -> &[u8] {
    let stars = text.iter().take_while(|&&byte| byte == b'*').count();
    text.get(stars..).unwrap_or_default()
}

/// What is left of a path; `None` behind its last name.
#[derive(Clone, Copy)]
struct Rest<'p>(Option<&'p [u8]>);

impl<'p> Rest<'p> {
    /// The path of a root below itself is empty, and has no names.
    fn of(path: &'p [u8]) -> Self {
        Self((!path.is_empty()).then_some(path))
    }

    fn is_at_end(self) -> bool {
        self.0.is_none()
    }

    fn split_first(self) -> Option<(&'p [u8], Self)> {
        let rest = self.0?;
        Some(match rest.iter().position(|&byte| byte == b'/') {
            Some(slash) => (rest.get(..slash)?, Self(rest.get(slash + 1..))),
            None => (rest, Self(None)),
        })
    }

    /// What is behind names that look like these, if they are at the front.
    fn behind(self, names: &[NameGlob]) -> Option<Self> {
        names.iter().try_fold(self, |rest, glob| {
            let (name, behind) = rest.split_first()?;
            glob.is_match(name).then_some(behind)
        })
    }

    fn ends_with(self, names: &[NameGlob]) -> bool {
        let Some(rest) = self.0 else { return false };
        let mut left = rest.rsplit(|&byte| byte == b'/');
        names.iter().rev().all(|glob| left.next().is_some_and(|name| glob.is_match(name)))
    }
}
