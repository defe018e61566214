//! A JSON text looked through from left to right.
//!
//! Strings, which most of a record is, are searched sixteen bytes at a time.

/// Why a record is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// What would have been JSON at this byte.
    NotJson { expected: &'static str, at: usize },
    /// It is JSON, but this kind of it.
    NoObject(&'static str),
}

/// Where a string lies between its quotes, and whether it has escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Literal {
    start: usize,
    end: usize,
    escaped: bool,
}

impl Literal {
    pub(super) fn is_escaped(&self) -> bool {
        self.escaped
    }

    /// What stands between its quotes.
    pub(super) fn raw<'a>(&self, line: &'a str) -> &'a str {
        &line[self.start..self.end]
    }

    /// The string itself, borrowed from the line where it has no escapes.
    pub(super) fn text<'a>(&self, line: &'a str, scratch: &'a mut Vec<u8>) -> Result<&'a str, String> {
        if !self.escaped {
            return Ok(self.raw(line));
        }
        let again = Scanner { line, bytes: line.as_bytes(), at: self.start - 1 }.text(scratch);
        debug_assert_eq!(again, Ok(*self));
        simdutf8::basic::from_utf8(scratch).map_err(|e| e.to_string())
    }

    pub(super) fn is(&self, line: &str, name: &str) -> bool {
        if self.escaped {
            let mut scratch = Vec::new();
            self.text(line, &mut scratch).is_ok_and(|key| key == name)
        } else {
            // Keys are short: by bytes, which calls nothing.
            &line.as_bytes()[self.start..self.end] == name.as_bytes()
        }
    }
}

/// What a backslash and one more byte stand for; 0 where that is not all of an escape, or none.
const SHORT: [u8; 256] = {
    let mut short = [0; 256];
    let (from, to) = (b"\"\\/bfnrt", b"\"\\/\x08\x0C\n\r\t");
    let mut i = 0;
    while i < from.len() {
        short[from[i] as usize] = to[i];
        i += 1;
    }
    short
};

/// A place in a line.
pub(super) struct Scanner<'a> {
    line: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Scanner { line, bytes: line.as_bytes(), at: 0 }
    }

    pub(super) fn line(&self) -> &'a str {
        self.line
    }

    /// Bytes passed.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> u8 {
        // No JSON text holds a zero outside of its strings: past the end it stands for nothing.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn fault<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault::NotJson { expected, at: self.at })
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    pub(super) fn end(&self) -> Result<(), Fault> {
        if self.at == self.bytes.len() { Ok(()) } else { self.fault("nothing more") }
    }

    /// What kind of value begins here.
    pub(super) fn kind(&self) -> &'static str {
        match self.peek() {
            b'{' => "an object",
            b'[' => "an array",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            _ => "a number",
        }
    }

    /// Enters an object; whether it has members.
    pub(super) fn open_object(&mut self) -> Result<bool, Fault> {
        self.at += 1;
        self.space();
        let empty = self.peek() == b'}';
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// A member's key, and on to its value.
    pub(super) fn key(&mut self) -> Result<Literal, Fault> {
        if self.peek() != b'"' {
            return self.fault("a key in quotes");
        }
        let key = self.string()?;
        self.space();
        if self.peek() != b':' {
            return self.fault("a colon");
        }
        self.at += 1;
        self.space();
        Ok(key)
    }

    /// Behind a value of an object or list: on to the next one, or out of it.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Fault> {
        self.space();
        let next = self.peek();
        if next != b',' && next != close {
            return self.fault(if close == b'}' { "a comma or }" } else { "a comma or ]" });
        }
        self.at += 1;
        if next == b',' {
            self.space();
        }
        Ok(next == b',')
    }

    /// Passes over a string.
    pub(super) fn string(&mut self) -> Result<Literal, Fault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += ordinary(&self.bytes[self.at..]);
            if self.closes()? {
                return Ok(Literal { start, end: self.at - 1, escaped });
            }
            escaped = true;
            self.escape()?;
        }
    }

    /// Passes over a string and leaves it in `out` if it has escapes.
    pub(super) fn text(&mut self, out: &mut Vec<u8>) -> Result<Literal, Fault> {
        self.at += 1;
        let start = self.at;
        self.at += ordinary(&self.bytes[start..]);
        if self.closes()? {
            return Ok(Literal { start, end: self.at - 1, escaped: false });
        }
        out.clear();
        out.extend_from_slice(&self.bytes[start..self.at]);
        loop {
            match self.bytes.get(self.at + 1).map_or(0, |&byte| SHORT[usize::from(byte)]) {
                0 => {
                    let char = self.escape()?;
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                byte => {
                    self.at += 2;
                    out.push(byte);
                }
            }
            self.at += copy_ordinary(&self.bytes[self.at..], out);
            if self.closes()? {
                return Ok(Literal { start, end: self.at - 1, escaped: true });
            }
        }
    }

    /// Behind ordinary bytes of a string: whether it ends here (and out of it), or goes on with an escape.
    fn closes(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                Ok(true)
            }
            b'\\' => Ok(false),
            _ if self.at == self.bytes.len() => self.fault("the end of a string"),
            _ => self.fault("no control character"),
        }
    }

    /// Passes over an escape. Halves of surrogate pairs without the other half become U+FFFD.
    fn escape(&mut self) -> Result<char, Fault> {
        self.at += 1;
        match (self.peek(), SHORT[usize::from(self.peek())]) {
            (b'u', _) => self.unicode(),
            (_, 0) => self.fault("an escape"),
            (_, byte) => {
                self.at += 1;
                Ok(char::from(byte))
            }
        }
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let mut unit = self.unit()?;
        if (0xD800..0xDC00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u") {
            let at = self.at;
            self.at += 1;
            let low = self.unit()?;
            if (0xDC00..0xE000).contains(&low) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            } else {
                self.at = at;
            }
        }
        Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// A `u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            match char::from(self.peek()).to_digit(16) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.fault("four hexadecimal digits"),
            }
        }
        self.at += 1;
        Ok(unit)
    }

    /// Passes over a value of any kind. Nesting costs a bit a level, and no stack.
    pub(super) fn value(&mut self) -> Result<(), Fault> {
        let mut open = Levels::default();
        loop {
            match self.peek() {
                b'"' => self.string().map(|_| ())?,
                b'{' => {
                    if self.open_object()? {
                        self.key()?;
                        open.push(true);
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    self.space();
                    if self.peek() != b']' {
                        open.push(false);
                        continue;
                    }
                    self.at += 1;
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            loop {
                let Some(is_object) = open.last() else { return Ok(()) };
                if self.more(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fault("a value");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return self.fault("a value"),
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return self.fault("a digit");
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }
}

/// The objects (true) and lists that are open, a bit each.
#[derive(Default)]
struct Levels {
    depth: usize,
    /// The innermost ones.
    bits: u64,
    /// Full words of those around them.
    outer: Vec<u64>,
}

impl Levels {
    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth.is_multiple_of(64)
            && let Some(bits) = self.outer.pop()
        {
            self.bits = bits;
        }
    }

    fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

/// How many bytes at the start are neither a quote, nor a backslash, nor a control character.
#[inline]
fn ordinary(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (i, chunk) in chunks.iter().enumerate() {
        let special = special(chunk);
        if special != 0 {
            return i * 16 + special.trailing_zeros() as usize;
        }
    }
    let is_special = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    chunks.len() * 16 + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Appends those bytes; how many they are.
#[inline]
fn copy_ordinary(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (i, chunk) in chunks.iter().enumerate() {
        // Sixteen bytes at once, and back again: a copy of a length that is not known costs more than what is copied.
        out.extend_from_slice(chunk);
        let special = special(chunk);
        if special != 0 {
            let n = special.trailing_zeros() as usize;
            out.truncate(out.len() - 16 + n);
            return i * 16 + n;
        }
    }
    let n = ordinary(rest);
    out.extend_from_slice(&rest[..n]);
    chunks.len() * 16 + n
}

/// A bit for every byte that is special.
#[cfg(target_arch = "x86_64")]
#[inline]
fn special(chunk: &[u8; 16]) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is part of every x86-64, and the load is of the chunk's sixteen bytes, in no alignment.
    unsafe {
        let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, slashes), controls)) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn special(chunk: &[u8; 16]) -> u32 {
    special_bytes(chunk)
}

/// The same, byte by byte, in a form that compilers make vectors of.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn special_bytes(chunk: &[u8; 16]) -> u32 {
    let is = chunk.map(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    is.iter().enumerate().fold(0, |bits, (i, &is)| bits | u32::from(is) << i)
}

/// Surrogates come as three bytes ED A0..BF xx, which no valid UTF-8 holds: each becomes U+FFFD, also three bytes.
pub(crate) fn replace_surrogates(bytes: &mut [u8]) {
    let mut i = 0;
    while i + 2 < bytes.len() {
        if bytes[i] == 0xED && bytes[i + 1] >= 0xA0 {
            bytes[i..i + 3].copy_from_slice("\u{FFFD}".as_bytes());
            i += 2;
        }
        i += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn special_bytes_are_found_wherever_they_stand(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let n = bytes.iter().position(is_special).unwrap_or(bytes.len());
            let mut out = b"x".to_vec();
            prop_assert_eq!((ordinary(&bytes), copy_ordinary(&bytes, &mut out)), (n, n));
            prop_assert_eq!(out, [b"x", &bytes[..n]].concat());
            for chunk in bytes.as_chunks().0 {
                prop_assert_eq!(special(chunk), special_bytes(chunk));
            }
        }

        #[test]
        fn levels_are_a_stack(moves in prop::collection::vec(prop::option::weighted(0.7, any::<bool>()), 0..600)) {
            let (mut levels, mut naive) = (Levels::default(), Vec::new());
            for step in moves {
                match step {
                    Some(is_object) => {
                        levels.push(is_object);
                        naive.push(is_object);
                    }
                    None if naive.pop().is_some() => levels.pop(),
                    None => {}
                }
                prop_assert_eq!(levels.last(), naive.last().copied());
            }
        }
    }
}
