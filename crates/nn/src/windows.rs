//! Texts that are longer than a model takes, in windows.

use std::ops::Range;

/// A part of a text that goes through the model on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its tokens, of the text's.
    pub tokens: Range<usize>,
    /// The first token whose loss counts: those before are there to be seen.
    pub from: usize,
}

/// Cuts `count` tokens into windows of at most `length`, each `stride` behind the one before; every token counts in the first window that
/// reaches it, but for those that nothing precedes there.
///
/// # Panics
/// If the stride is 0 or longer than a window.
pub fn windows(count: usize, length: usize, stride: usize) -> Vec<Window> {
    assert!((1..=length).contains(&stride), "a stride within the window");
    let mut windows = Vec::new();
    let (mut start, mut counted) = (0, 0);
    while counted < count {
        let end = count.min(start + length);
        windows.push(Window { tokens: start..end, from: counted.max(start + 1) });
        counted = end;
        start += stride;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_counts_once(count in 0usize..200, length in 1usize..50, stride in 1usize..50) {
            let stride = stride.min(length);
            let windows = windows(count, length, stride);
            let mut seen = vec![0; count];
            for (i, window) in windows.iter().enumerate() {
                prop_assert!(window.tokens.len() <= length && window.tokens.start == i * stride);
                (window.from.min(window.tokens.end)..window.tokens.end).for_each(|at| seen[at] += 1);
            }
            // Without overlap the first of each window has nothing before it.
            for (at, seen) in seen.into_iter().enumerate() {
                let first = at == 0 || (stride == length && at % length == 0) || length == 1;
                prop_assert_eq!(seen, usize::from(!first), "{} of {:?}", at, windows);
            }
        }
    }
}
