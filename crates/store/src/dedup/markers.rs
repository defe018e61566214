//! The ways to mark a text: by a digest of all of it, or by the bands of its MinHash signature.

use super::digest::{Marker, Marks};
use tamis_kernels::clean::clean;
use tamis_kernels::lsh::Banding;
use tamis_kernels::minhash::MinHasher;
use tamis_kernels::xxh3::hash128;

/// Texts that are the same, byte for byte or cleaned.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    pub clean: bool,
}

impl Marker for Exact {
    type Key = u128;
    type Scratch = Vec<u8>;

    fn scratch(&self) -> Vec<u8> {
        Vec::new()
    }

    fn mark(&self, scratch: &mut Vec<u8>, text: &str, scopes: &[Option<u32>], marks: &mut Marks<u128>) {
        let bytes = if self.clean {
            clean(text, scratch);
            scratch.as_slice()
        } else {
            text.as_bytes()
        };
        let seed = |scope: &Option<u32>| scope.map_or(0, |source| u64::from(source) + 1);
        marks.keys.extend(scopes.iter().map(|scope| hash128(bytes, seed(scope))));
    }
}

/// Texts of about the same shingles.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub ngram: usize,
    pub num_perm: usize,
    pub seed: u64,
    pub banding: Banding,
    /// Whether signatures are marks too.
    pub verify: bool,
}

impl Marker for Near {
    type Key = u64;
    type Scratch = (MinHasher, Vec<u32>);

    fn scratch(&self) -> (MinHasher, Vec<u32>) {
        (MinHasher::new(self.ngram, self.num_perm, self.seed), vec![0; self.num_perm])
    }

    fn mark(
        &self,
        (hasher, signature): &mut (MinHasher, Vec<u32>),
        text: &str,
        scopes: &[Option<u32>],
        marks: &mut Marks<u64>,
    ) {
        hasher.sign(text, signature);
        for &scope in scopes {
            self.banding.digests(signature, scope, &mut marks.keys);
            if self.verify {
                marks.signatures.extend_from_slice(signature);
            }
        }
    }
}
