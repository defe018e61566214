//! Disjoint sets over 0..n, and which member of each set is kept.
//!
//! Four bytes an element. The root of a set is its least element, so that the sets after any order of the same unions
//! are the same array once paths are short. Union and find are O(log n) amortised (path halving).

/// Sets of the elements 0..len, at first one each.
///
/// ```
/// use tamis_kernels::unionfind::UnionFind;
/// let mut sets = UnionFind::new(4);
/// sets.union(3, 1);
/// assert_eq!((sets.find(3), sets.find(2)), (1, 2));
/// assert_eq!(sets.into_roots(), [0, 1, 2, 1]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct UnionFind {
    /// At most the element itself; equal to it at a root.
    parents: Vec<u32>,
}

impl UnionFind {
    pub fn new(len: u32) -> Self {
        UnionFind { parents: (0..len).collect() }
    }

    /// Adds elements, one set each, up to `len` in all.
    pub fn grow(&mut self, len: u32) {
        self.parents.extend(self.parents.len() as u32..len);
    }

    pub fn len(&self) -> u32 {
        self.parents.len() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The least element of the set of `i`.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn find(&mut self, mut i: u32) -> u32 {
        loop {
            let parent = self.parents[i as usize];
            if parent == i {
                return i;
            }
            let next = self.parents[parent as usize];
            self.parents[i as usize] = next;
            i = next;
        }
    }

    /// Makes one set of two; returns the roots that they had, the one that stays first.
    pub fn union(&mut self, a: u32, b: u32) -> (u32, u32) {
        let (a, b) = (self.find(a), self.find(b));
        let (root, other) = (a.min(b), a.max(b));
        self.parents[other as usize] = root;
        (root, other)
    }

    /// The root of every element.
    pub fn into_roots(mut self) -> Vec<u32> {
        // Parents are never above their children: in ascending order they are roots already.
        for i in 0..self.parents.len() {
            self.parents[i] = self.parents[self.parents[i] as usize];
        }
        self.parents
    }

    /// For every element the member of its set with the largest preference, the lowest of equal ones.
    ///
    /// `preferences` gives each element's value in order to what it is called with, as often as it is called: once for
    /// every `at_once` elements, of which 8 bytes each are held. It may fail.
    pub fn into_preferred<E>(
        self,
        at_once: usize,
        mut preferences: impl FnMut(&mut dyn FnMut(f32)) -> Result<(), E>,
    ) -> Result<Vec<u32>, E> {
        let mut roots = self.into_roots();
        let at_once = at_once.max(1).min(roots.len());
        let mut best: Vec<(u32, f32)> = Vec::with_capacity(at_once);
        for first in (0..roots.len()).step_by(at_once.max(1)) {
            let here = first..(first + at_once).min(roots.len());
            best.clear();
            best.extend(here.clone().map(|i| (i as u32, f32::NAN)));
            let mut i = 0;
            preferences(&mut |value| {
                // What has been given its preferred member is above its root: it is a root itself, and behind us.
                let root = roots[i] as usize;
                if root <= i && here.contains(&root) {
                    let best = &mut best[root - first];
                    if is_preferred(value, best.1) {
                        *best = (i as u32, value);
                    }
                }
                i += 1;
            })?;
            for (root, &(member, _)) in here.zip(&best) {
                if roots[root] as usize == root {
                    roots[root] = member;
                }
            }
        }
        // Members point at roots, which are below them, and roots at or above themselves: from the end, each root
        // still holds its preferred member when a member asks.
        for i in (0..roots.len()).rev() {
            if (roots[i] as usize) < i {
                roots[i] = roots[roots[i] as usize];
            }
        }
        Ok(roots)
    }
}

/// Whether a preference beats an earlier one: larger, and any number beats NaN.
pub fn is_preferred(value: f32, earlier: f32) -> bool {
    value > earlier || (earlier.is_nan() && !value.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Labels spread along links until nothing changes.
    fn naive(len: u32, links: &[(u32, u32)]) -> Vec<u32> {
        let mut labels: Vec<u32> = (0..len).collect();
        loop {
            let before = labels.clone();
            for &(a, b) in links {
                let least = labels[a as usize].min(labels[b as usize]);
                labels[a as usize] = least;
                labels[b as usize] = least;
            }
            if labels == before {
                return labels;
            }
        }
    }

    fn preferred(roots: &[u32], values: &[f32]) -> Vec<u32> {
        let members = |root: u32| (0..roots.len()).filter(move |&i| roots[i] == root);
        let best = |root: u32| {
            members(root).reduce(|best, i| if is_preferred(values[i], values[best]) { i } else { best })
        };
        roots.iter().map(|&root| best(root).unwrap() as u32).collect()
    }

    proptest! {
        #[test]
        fn sets_are_those_of_the_links_in_any_order(
            len in 1..60_u32,
            links in prop::collection::vec((0..60_u32, 0..60_u32), 0..60),
            values in prop::collection::vec(prop::sample::select(vec![0.0, -0.0, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]), 60),
            at_once in 1..70_usize,
        ) {
            let links: Vec<_> = links.into_iter().map(|(a, b)| (a % len, b % len)).collect();
            let values = &values[..len as usize];
            let want = naive(len, &links);
            let mut sets = UnionFind::default();
            sets.grow(len / 2);
            sets.grow(len);
            let mut backward = UnionFind::new(len);
            for &(a, b) in &links {
                sets.union(a, b);
            }
            for &(a, b) in links.iter().rev() {
                backward.union(b, a);
            }
            for i in 0..len {
                prop_assert_eq!(sets.find(i), want[i as usize]);
            }
            prop_assert_eq!(&backward.into_roots(), &want);
            let got = sets.into_preferred(at_once, |visit| -> Result<(), ()> {
                values.iter().for_each(|&value| visit(value));
                Ok(())
            });
            prop_assert_eq!(got, Ok(preferred(&want, values)));
        }
    }

    #[test]
    fn a_preference_that_cannot_be_read_is_an_error() {
        assert_eq!(UnionFind::new(3).into_preferred(8, |_| Err("unreadable")), Err("unreadable"));
        assert_eq!(UnionFind::new(0).into_preferred(8, |_| Err("unreadable")), Ok(vec![]));
    }
}
