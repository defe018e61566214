//! The SHA-256 of a file that is taken while the file is read, and that can stop and go on.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

/// A hash and how many bytes are in it.
#[derive(Clone, Default)]
pub(crate) struct RunningHash {
    hash: Sha256,
    bytes: u64,
}

impl RunningHash {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes are in it.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All that [`resume`](Self::resume) needs: the hash's inner state, then the number of bytes, little-endian.
    pub(crate) fn state(&self) -> Vec<u8> {
        let mut out = self.hash.serialize().to_vec();
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out
    }

    /// The hash whose state that was; none if it is no state.
    pub(crate) fn resume(state: &[u8]) -> Option<Self> {
        let (inner, bytes) = state.split_last_chunk()?;
        let inner = SerializedState::<Sha256>::try_from(inner).ok()?;
        Some(RunningHash { hash: Sha256::deserialize(&inner).ok()?, bytes: u64::from_le_bytes(*bytes) })
    }

    /// The hash in hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_hash_goes_on_where_it_stopped(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..300_usize) {
            let cut = cut.min(bytes.len());
            let mut hash = RunningHash::default();
            hash.update(&bytes[..cut]);
            let mut hash = RunningHash::resume(&hash.state()).unwrap();
            prop_assert_eq!(hash.bytes(), cut as u64);
            hash.update(&bytes[cut..]);
            prop_assert_eq!(hash.hex(), hex(&Sha256::digest(&bytes)));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = RunningHash::resume(&bytes).map(|hash| hash.hex());
        }
    }
}
