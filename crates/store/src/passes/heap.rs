//! The best records of a stream by a perturbed score, in memory bounded by what can still be chosen.
//!
//! A [`Best`] keeps every record that a [`Budget`] could still reach and drops the rest at once. Ties go to the
//! lower index, so that what is kept does not depend on the order of arrival. O(log n) a record that gets in, O(1)
//! for one that does not.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// One record that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What decides: score plus noise.
    pub key: f64,
    /// The score alone.
    pub score: f64,
    /// Place among all records of all inputs.
    pub index: u64,
    /// Place among the good records of its file.
    pub ordinal: u64,
    /// Where its bytes start in the (decompressed) file, or its row.
    pub offset: u64,
    /// How many bytes it has there.
    pub len: u64,
    /// Bytes of its text.
    pub text_bytes: u64,
    /// Tokens of its text.
    pub tokens: u32,
    /// Which input.
    pub file: u32,
}

impl Candidate {
    /// Best first: higher key, then lower index.
    pub fn order(&self, other: &Self) -> Ordering {
        other.key.total_cmp(&self.key).then(self.index.cmp(&other.index))
    }

    fn cost(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Records => 1,
            Unit::Tokens => u64::from(self.tokens),
            Unit::Bytes => self.text_bytes,
        }
    }
}

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Records,
    Tokens,
    Bytes,
}

/// How much may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub unit: Unit,
    pub amount: u64,
}

struct Worst(Candidate);

impl PartialEq for Worst {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Worst {}
impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Worst {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

/// The shortest run of best records whose cost passes the budget; beside it the `spare` next best, the nearest
/// misses.
pub struct Best {
    budget: Budget,
    spare: usize,
    heap: BinaryHeap<Worst>,
    cost: u64,
    misses: BinaryHeap<Worst>,
}

impl Best {
    pub fn new(budget: Budget, spare: usize) -> Self {
        Best { budget, spare, heap: BinaryHeap::new(), cost: 0, misses: BinaryHeap::new() }
    }

    /// The key below which nothing gets in any more.
    pub fn threshold(&self) -> f64 {
        let last = if self.misses.len() == self.spare {
            self.misses.peek().or(if self.spare == 0 && self.is_full() { self.heap.peek() } else { None })
        } else {
            None
        };
        last.map_or(f64::NEG_INFINITY, |worst| worst.0.key)
    }

    fn is_full(&self) -> bool {
        match self.budget.unit {
            Unit::Records => self.cost >= self.budget.amount,
            _ => self.cost > self.budget.amount,
        }
    }

    /// Takes a record in if it can still be chosen, or is among the nearest misses.
    pub fn offer(&mut self, candidate: Candidate) {
        self.cost += candidate.cost(self.budget.unit);
        self.heap.push(Worst(candidate));
        while let Some(worst) = self.heap.peek() {
            let without = self.cost - worst.0.cost(self.budget.unit);
            let enough = match self.budget.unit {
                Unit::Records => without >= self.budget.amount,
                _ => without > self.budget.amount,
            };
            if !enough {
                break;
            }
            self.cost = without;
            let worst = self.heap.pop().expect("just peeked");
            if self.spare > 0 {
                self.misses.push(worst);
                if self.misses.len() > self.spare {
                    self.misses.pop();
                }
            }
        }
    }

    /// The records from `index` on, in no order: what a part of the stream added.
    pub fn since(&self, index: u64) -> impl Iterator<Item = &Candidate> {
        self.heap.iter().chain(&self.misses).map(|w| &w.0).filter(move |c| c.index >= index)
    }

    /// All, best first, the nearest misses last.
    pub fn into_sorted(self) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = self.heap.into_iter().chain(self.misses).map(|w| w.0).collect();
        all.sort_unstable_by(Candidate::order);
        all
    }
}

/// Several budgets served in turn: each takes its best candidates that no earlier one took, until the next one
/// would pass its amount. Returns for each budget what it took, best first, and then the best that nobody took.
pub fn share_out(
    lists: Vec<Vec<Candidate>>,
    budgets: &[Budget],
    spare: usize,
) -> (Vec<Vec<Candidate>>, Vec<Candidate>) {
    let mut taken = std::collections::HashSet::new();
    let mut left: Vec<Candidate> = Vec::new();
    let mut shares = Vec::with_capacity(lists.len());
    for (list, budget) in lists.into_iter().zip(budgets) {
        let mut spent = 0u64;
        let mut open = true;
        let mut share = Vec::new();
        for candidate in list {
            if taken.contains(&candidate.index) {
                continue;
            }
            let after = spent.saturating_add(candidate.cost(budget.unit));
            open &= after <= budget.amount;
            if open {
                spent = after;
                taken.insert(candidate.index);
                share.push(candidate);
            } else {
                left.push(candidate);
            }
        }
        shares.push(share);
    }
    left.retain(|c| !taken.contains(&c.index));
    left.sort_unstable_by(Candidate::order);
    let mut seen = std::collections::HashSet::new();
    left.retain(|c| seen.insert(c.index));
    left.truncate(spare);
    (shares, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(n: u64) -> Vec<Candidate> {
        (0..n)
            .map(|index| Candidate {
                key: ((index * 7919) % 31) as f64,
                score: 0.0,
                index,
                ordinal: index,
                offset: 0,
                len: 1,
                text_bytes: 1 + index % 5,
                tokens: 1 + (index * 13 % 17) as u32,
                file: 0,
            })
            .collect()
    }

    /// Everything kept, sorted, cut by hand.
    fn naive(all: &[Candidate], budget: Budget) -> Vec<u64> {
        let mut all = all.to_vec();
        all.sort_by(Candidate::order);
        let mut spent = 0;
        all.iter()
            .take_while(|c| {
                spent += c.cost(budget.unit);
                spent <= budget.amount
            })
            .map(|c| c.index)
            .collect()
    }

    #[test]
    fn every_unit_keeps_what_sorting_everything_would() {
        for unit in [Unit::Records, Unit::Tokens, Unit::Bytes] {
            for amount in [0, 1, 5, 40, 300, 100_000] {
                for spare in [0, 3] {
                    let budget = Budget { unit, amount };
                    let all = candidates(200);
                    let mut best = Best::new(budget, spare);
                    for c in all.iter().rev() {
                        if c.key >= best.threshold() {
                            best.offer(*c);
                        }
                    }
                    let (shares, misses) = share_out(vec![best.into_sorted()], &[budget], spare);
                    let got: Vec<u64> = shares[0].iter().map(|c| c.index).collect();
                    let want = naive(&all, budget);
                    assert_eq!(got, want, "{unit:?} {amount} {spare}");
                    let mut rest: Vec<Candidate> =
                        all.into_iter().filter(|c| !want.contains(&c.index)).collect();
                    rest.sort_by(Candidate::order);
                    let near: Vec<u64> = rest.iter().take(spare).map(|c| c.index).collect();
                    assert_eq!(
                        misses.iter().map(|c| c.index).collect::<Vec<_>>(),
                        near,
                        "{unit:?} {amount} {spare}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_later_budget_takes_what_an_earlier_one_left() {
        let all = candidates(50);
        let budgets = [Budget { unit: Unit::Records, amount: 7 }, Budget { unit: Unit::Records, amount: 5 }];
        let total = Budget { unit: Unit::Records, amount: 12 };
        let mut first = Best::new(budgets[0], 2);
        let mut second = Best::new(total, 2);
        for c in &all {
            first.offer(*c);
            second.offer(*c);
        }
        let (shares, misses) = share_out(vec![first.into_sorted(), second.into_sorted()], &budgets, 2);
        let want = naive(&all, Budget { unit: Unit::Records, amount: 14 });
        assert_eq!(shares[0].iter().map(|c| c.index).collect::<Vec<_>>(), want[..7]);
        assert_eq!(shares[1].iter().map(|c| c.index).collect::<Vec<_>>(), want[7..12]);
        assert_eq!(misses.iter().map(|c| c.index).collect::<Vec<_>>(), want[12..14]);
    }
}
