//! The bytes of a shard's partial result: little-endian words, read back with every length checked.

use super::heap::Candidate;

/// Appends words.
#[derive(Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    pub fn u64(&mut self, x: u64) {
        self.out.extend_from_slice(&x.to_le_bytes());
    }

    pub fn f64(&mut self, x: f64) {
        self.u64(x.to_bits());
    }

    /// Their number, then the bytes.
    pub fn bytes(&mut self, x: &[u8]) {
        self.u64(x.len() as u64);
        self.out.extend_from_slice(x);
    }

    pub fn candidate(&mut self, c: &Candidate) {
        self.f64(c.key);
        self.f64(c.score);
        for x in [c.index, c.ordinal, c.offset, c.len, c.text_bytes, u64::from(c.tokens), u64::from(c.file)] {
            self.u64(x);
        }
    }
}

/// Takes words off; `None` where the bytes end early.
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    pub fn u64(&mut self) -> Option<u64> {
        let (word, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(u64::from_le_bytes(*word))
    }

    pub fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u64()?).ok()?;
        let (bytes, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(bytes)
    }

    /// A count of items of at least `size` bytes each: one that the rest cannot hold is refused before any
    /// memory is taken for it.
    pub fn len(&mut self, size: usize) -> Option<usize> {
        let n = usize::try_from(self.u64()?).ok()?;
        (n.checked_mul(size)? <= self.bytes.len()).then_some(n)
    }

    pub fn candidate(&mut self) -> Option<Candidate> {
        Some(Candidate {
            key: self.f64()?,
            score: self.f64()?,
            index: self.u64()?,
            ordinal: self.u64()?,
            offset: self.u64()?,
            len: self.u64()?,
            text_bytes: self.u64()?,
            tokens: u32::try_from(self.u64()?).ok()?,
            file: u32::try_from(self.u64()?).ok()?,
        })
    }

    pub fn end(&self) -> Option<()> {
        self.bytes.is_empty().then_some(())
    }
}

/// Bytes of one candidate.
pub const CANDIDATE: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_cut_of_a_blob_is_refused() {
        let candidate = Candidate {
            key: -1.5,
            score: 2.5,
            index: 1,
            ordinal: 2,
            offset: 3,
            len: 4,
            text_bytes: 5,
            tokens: 6,
            file: 7,
        };
        let mut w = Writer::default();
        w.u64(2);
        w.bytes("añb".as_bytes());
        w.candidate(&candidate);
        let read = |bytes: &[u8]| {
            let mut r = Reader::new(bytes);
            let out = (r.u64()?, r.bytes()?.to_vec(), r.candidate()?);
            r.end()?;
            Some(out)
        };
        assert_eq!(read(&w.out), Some((2, "añb".into(), candidate)));
        for cut in 0..w.out.len() {
            assert!(read(&w.out[..cut]).is_none(), "{cut}");
        }
        assert!(read(&[&w.out[..], &[0]].concat()).is_none());
        assert!(Reader::new(&u64::MAX.to_le_bytes()).len(8).is_none());
        assert_eq!(w.out.len(), 8 + 8 + 4 + CANDIDATE);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut r = Reader::new(&bytes);
            let _ = (r.len(3), r.bytes().map(<[u8]>::len), r.f64(), r.candidate());
        }
    }
}
