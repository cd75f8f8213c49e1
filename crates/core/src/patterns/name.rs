//! Globs for one name of a path: bytes, `?`, `*` and brackets.

use std::borrow::Cow;

use super::class::ByteSet;

/// What one name has to look like.
#[derive(Clone, Debug, Default)]
pub(super) struct NameGlob(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    AnyByte,
    /// Any bytes, or none.
    Star,
    Set(Box<ByteSet>),
}

impl Token {
    fn is_match(&self, byte: u8) -> bool {
        match self {
            Self::Byte(expected) => *expected == byte,
            Self::AnyByte => true,
            Self::Set(set) => set.contains(byte),
            Self::Star => false,
        }
    }
}

impl NameGlob {
    pub(super) fn push(&mut self, token: Token) {
        if token != Token::Star || self.0.last() != Some(&Token::Star) {
            self.0.push(token);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether no name looks like that.
    pub(super) fn is_impossible(&self) -> bool {
        let is_empty_set = |token: &Token| matches!(token, Token::Set(set) if set.is_empty());
        self.0.iter().any(is_empty_set) || matches!(self.literal().as_deref(), Some(b"." | b".."))
    }

    /// The one name that it stands for, if there is no choice.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        self.0.iter().map(byte_of).collect()
    }

    /// The byte that the name has to begin with, if it is one.
    pub(super) fn first_byte(&self) -> Option<u8> {
        self.0.first().and_then(byte_of)
    }

    /// The byte that the name has to end with, if it is one.
    pub(super) fn last_byte(&self) -> Option<u8> {
        self.0.last().and_then(byte_of)
    }

    /// The same for names of which [`fold`] has taken the case.
    pub(super) fn folded(self) -> Self {
        let mut folded = Vec::with_capacity(self.0.len());
        // Letters beyond ASCII are several bytes.
        let mut bytes = Vec::new();
        for token in self.0 {
            match token {
                Token::Byte(byte) => bytes.push(byte),
                token => {
                    folded.extend(fold(&bytes).iter().map(|&byte| Token::Byte(byte)));
                    bytes.clear();
                    folded.push(token);
                }
            }
        }
        folded.extend(fold(&bytes).iter().map(|&byte| Token::Byte(byte)));
        Self(folded)
    }

    /// Tells whether a name looks like that, in a time of at most its length times that of the glob: a star never has to be
    /// tried again once a later one was reached.
    pub(super) fn is_match(&self, name: &[u8]) -> bool {
        let (mut token, mut byte) = (0, 0);
        // The last star, and where what stands behind it was tried last.
        let mut star: Option<(usize, usize)> = None;
        loop {
            let is_ahead = match (self.0.get(token), name.get(byte)) {
                (None, None) => return true,
                (Some(Token::Star), _) => {
                    star = Some((token, byte));
                    token += 1;
                    continue;
                }
                (Some(token), Some(&byte)) => token.is_match(byte),
                (None, Some(_)) | (Some(_), None) => false,
            };
            if is_ahead {
                (token, byte) = (token + 1, byte + 1);
                continue;
            }
            let Some((place, tried)) = star.filter(|&(_, tried)| tried < name.len()) else { return false };
            star = Some((place, tried + 1));
            (token, byte) = (place + 1, tried + 1);
        }
    }
}

fn byte_of(token: &Token) -> Option<u8> {
    match token {
        Token::Byte(byte) => Some(*byte),
        _ => None,
    }
}

/// Takes the case from letters: all of Unicode that have one lower case letter; what is no UTF-8 stays as it is.
pub(super) fn fold(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        let has_upper = bytes.iter().any(u8::is_ascii_uppercase);
        return if has_upper { bytes.to_ascii_lowercase().into() } else { bytes.into() };
    }
    let mut folded = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let mut lower = letter.to_lowercase();
            let lower = lower.next().filter(|_| lower.next().is_none()).unwrap_or(letter);
            folded.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
        }
        folded.extend_from_slice(chunk.invalid());
    }
    folded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_give_back_what_is_needed_behind_them() {
        let glob = |text: &str| {
            let mut glob = NameGlob::default();
            for byte in text.bytes() {
                glob.push(match byte {
                    b'*' => Token::Star,
                    b'?' => Token::AnyByte,
                    byte => Token::Byte(byte),
                });
            }
            glob
        };
        for (text, yes, no) in [
            ("*", &["", "a"][..], &[][..]),
            ("a*b*c", &["abc", "axbxbc", "abcc"], &["ab", "abcd", "xabc"]),
            ("*.tar.*", &["x.tar.gz", ".tar.", "a.tar.tar.x"], &["x.tar", "tar."]),
            ("?*?", &["ab", "abc"], &["a", ""]),
        ] {
            assert!(yes.iter().all(|name| glob(text).is_match(name.as_bytes())), "{text}");
            assert!(!no.iter().any(|name| glob(text).is_match(name.as_bytes())), "{text}");
        }
    }

    #[test]
    fn letters_of_all_scripts_lose_their_case_and_other_bytes_stay() {
        assert_eq!(&*fold("ÄRGER.Δ".as_bytes()), "ärger.δ".as_bytes());
        assert_eq!(&*fold(b"A\xc4\xffB"), b"a\xc4\xffb");
        assert_eq!(&*fold("İ".as_bytes()), "İ".as_bytes(), "its lower case is two");
    }
}
