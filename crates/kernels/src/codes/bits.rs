//! Bits of dimensions by their variance.

/// The most bits that a dimension gets.
pub const MOST_BITS: u8 = 8;

/// Shares `budget` bits out: one after another to the dimension of the largest energy that has fewer than
/// [`MOST_BITS`], the lowest of equals; each bit quarters the energy, as it quarters the squared error. What is beyond
/// 8 bits a dimension is not spent. O(budget * dimensions).
///
/// ```
/// assert_eq!(tamis_kernels::codes::allocate_bits(&[16.0, 1.0, 0.1], 4), [3, 1, 0]);
/// ```
pub fn allocate_bits(energies: &[f64], budget: usize) -> Vec<u8> {
    let mut left = energies.to_vec();
    let mut bits = vec![0; energies.len()];
    for _ in 0..budget.min(energies.len() * usize::from(MOST_BITS)) {
        let open = (0..left.len()).filter(|&j| bits[j] < MOST_BITS);
        let Some(best) = open.reduce(|best, j| if left[j] > left[best] { j } else { best }) else { break };
        bits[best] += 1;
        left[best] /= 4.0;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_dimension_gets_no_more() {
        assert_eq!(allocate_bits(&[1e30, 1.0], 11), [8, 3]);
        assert_eq!(allocate_bits(&[1.0, 1.0, 1.0], 1000), [8, 8, 8]);
        assert_eq!(allocate_bits(&[1.0, 1.0, 1.0], 4), [2, 1, 1]);
        assert_eq!(allocate_bits(&[], 4), []);
    }

    proptest! {
        #[test]
        fn the_budget_is_spent_where_the_variance_is(
            energies in prop::collection::vec(1e-3f64..1e3, 1..20), budget in 0usize..200
        ) {
            let bits = allocate_bits(&energies, budget);
            let spent: usize = bits.iter().map(|&b| usize::from(b)).sum();
            prop_assert_eq!(spent, budget.min(8 * energies.len()));
            for (a, x) in bits.iter().zip(&energies) {
                for (b, y) in bits.iter().zip(&energies) {
                    prop_assert!(x <= y || a >= b);
                }
            }
        }
    }
}
