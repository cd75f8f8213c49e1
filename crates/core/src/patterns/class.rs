//! Bracket expressions: `[abc]`, `[a-z]`, `[!0-9]`, `[[:digit:]]`, as git's wildmatch reads them.

use std::fmt;

/// A set of bytes. A slash is in none: it stands between names, and no pattern takes it for a part of one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

/// Tells whether a byte is in a class.
type IsIn = fn(u8) -> bool;

/// The names of POSIX, and which bytes they are: those of ASCII, for the bytes of a name have no other meaning that all share.
const NAMED: [(&[u8], IsIn); 12] = [
    (b"alnum", |byte| byte.is_ascii_alphanumeric()),
    (b"alpha", |byte| byte.is_ascii_alphabetic()),
    (b"blank", |byte| matches!(byte, b' ' | b'\t')),
    (b"cntrl", |byte| byte.is_ascii_control()),
    (b"digit", |byte| byte.is_ascii_digit()),
    (b"graph", |byte| byte.is_ascii_graphic()),
    (b"lower", |byte| byte.is_ascii_lowercase()),
    (b"print", |byte| byte.is_ascii_graphic() || byte == b' '),
    (b"punct", |byte| byte.is_ascii_punctuation()),
    (b"space", |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')),
    (b"upper", |byte| byte.is_ascii_uppercase()),
    (b"xdigit", |byte| byte.is_ascii_hexdigit()),
];

impl ByteSet {
    fn of(is_in: impl Fn(u8) -> bool) -> Self {
        let mut set = Self([0; 4]);
        (0..=u8::MAX).filter(|&byte| is_in(byte)).for_each(|byte| set.insert(byte));
        set
    }

    fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// Reads what stands behind an opening bracket, and returns the set and what stands behind the closing one.
    ///
    /// # Errors
    /// Says what is wrong with it; git takes such a pattern for one that matches nothing.
    pub(super) fn parse(text: &[u8], any_case: bool) -> Result<(Self, &[u8]), &'static str> {
        const UNCLOSED: &str = "a `[` is not closed (`\\[` is the bracket itself)";
        let (is_negated, mut rest) = match text {
            [b'!' | b'^', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut set = Self([0; 4]);
        // What a range may begin with: the byte before a `-`.
        let mut before: Option<u8> = None;
        let mut is_first = true;
        loop {
            (before, rest) = match rest {
                [b']', behind @ ..] if !is_first => return Ok((set.finish(is_negated, any_case), behind)),
                [b'\\', byte, behind @ ..] => {
                    set.insert(*byte);
                    (Some(*byte), behind)
                }
                [] | [b'\\'] => return Err(UNCLOSED),
                [b'-', end, behind @ ..] if before.is_some() && *end != b']' => {
                    let (end, behind) = match (end, behind) {
                        (b'\\', [end, behind @ ..]) => (*end, behind),
                        (b'\\', []) => return Err(UNCLOSED),
                        _ => (*end, behind),
                    };
                    (before.unwrap_or(end)..=end).for_each(|byte| set.insert(byte));
                    (None, behind)
                }
                [b'[', b':', behind @ ..] => {
                    let end = behind.iter().position(|&byte| byte == b']').ok_or(UNCLOSED)?;
                    let (name, closed) = (behind.get(..end).unwrap_or_default(), behind.get(end + 1..));
                    match name.strip_suffix(b":") {
                        Some(name) => {
                            let (_, is_in) = NAMED.iter().find(|(known, _)| *known == name).ok_or(
                                "no class has that name: there are [:alnum:], [:alpha:], [:blank:], [:cntrl:], [:digit:], \
                                 [:graph:], [:lower:], [:print:], [:punct:], [:space:], [:upper:] and [:xdigit:]",
                            )?;
                            (0..=u8::MAX).filter(|&byte| is_in(byte)).for_each(|byte| set.insert(byte));
                            (None, closed.unwrap_or_default())
                        }
                        // No class: the bracket and the colon are two bytes of the set like others.
                        None => {
                            set.insert(b'[');
                            (Some(b'['), rest.get(1..).unwrap_or_default())
                        }
                    }
                }
                [byte, behind @ ..] => {
                    set.insert(*byte);
                    (Some(*byte), behind)
                }
            };
            is_first = false;
        }
    }

    fn finish(self, is_negated: bool, any_case: bool) -> Self {
        let is_in = |byte: u8| {
            self.contains(byte)
                || any_case && (self.contains(byte.to_ascii_lowercase()) || self.contains(byte.to_ascii_uppercase()))
        };
        Self::of(|byte| byte != b'/' && is_in(byte) != is_negated)
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|&byte| self.contains(byte)).collect();
        write!(f, "[{}]", bytes.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The printable bytes that a bracket expression stands for.
    fn set(text: &str) -> String {
        let (set, rest) = ByteSet::parse(text.strip_prefix('[').expect("a bracket").as_bytes(), false).expect(text);
        assert_eq!(rest, b"", "{text}");
        (b' '..=b'~').filter(|&byte| set.contains(byte)).map(char::from).collect()
    }

    #[test]
    fn brackets_hold_bytes_ranges_and_classes() {
        for (text, expected) in [
            ("[abc]", "abc"),
            ("[a-c]", "abc"),
            ("[a-]", "-a"),
            ("[-a]", "-a"),
            ("[]a]", "]a"),
            ("[]-_]", "]^_"),
            ("[a\\]b]", "]ab"),
            ("[\\a-\\c]", "abc"),
            ("[a-c-e]", "-abce"),
            ("[z-ab]", "bz"),
            ("[[:digit:]x]", "0123456789x"),
            ("[[:digit:]-9]", "-0123456789"),
            ("[[a]", "[a"),
            ("[[:a]", ":[a"),
            ("[a/b]", "ab"),
            ("[.-1]", ".01"),
            ("[a!^]", "!^a"),
        ] {
            assert_eq!(set(text), expected, "{text}");
        }
        assert_eq!(set("[![:print:]]"), "");
        assert!(!set("[!a]").contains(['a', '/']) && set("[^a]") == set("[!a]"));
        assert!(ByteSet::parse(b"/]", false).expect("a set").0.is_empty());
    }

    #[test]
    fn brackets_that_do_not_close_are_told() {
        for text in ["", "a", "]", "!", "!]", "a\\", "a-", "a-\\", "[:digit:]", "[:digit:", "[:"] {
            assert!(ByteSet::parse(text.as_bytes(), false).expect_err(text).contains("not closed"), "{text}");
        }
        assert!(ByteSet::parse(b"[:word:]]", false).expect_err("no class").contains("[:alnum:]"));
    }

    #[test]
    fn any_case_is_both_cases_before_the_set_is_turned_round() {
        let parse = |text: &str| ByteSet::parse(text.as_bytes(), true).expect(text).0;
        assert!(["A-C]", "a-c]", "[:upper:]]"].map(parse).iter().all(|set| set.contains(b'b') && set.contains(b'B')));
        assert!(!parse("!B]").contains(b'b') && parse("!B]").contains(b'a'));
    }
}
