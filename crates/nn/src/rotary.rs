//! Rotary position embeddings: pairs of a head's numbers, one of each half, turn by angles that grow with the token's position.
//!
//! Angles are computed in float64. O(numbers); tables of `2 * positions * width / 2` floats.

/// How the frequencies of long contexts are stretched.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    None,
    /// Positions are divided.
    Linear {
        factor: f64,
    },
    /// Of Llama 3: low frequencies are divided, high ones stay, those between go over smoothly.
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// Each frequency is divided by its own number.
    Each(Vec<f32>),
}

/// Angles' cosines and sines, grown as positions are asked for.
#[derive(Debug, Clone)]
pub struct Rotary {
    frequencies: Vec<f64>,
}

/// Those of some positions: [positions, half a head].
#[derive(Debug, Default)]
pub struct Turns {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// For heads of `width` numbers, base `theta`.
    ///
    /// # Panics
    /// If the width is odd, or there are other than half as many numbers of [`Scaling::Each`].
    pub fn new(width: usize, theta: f64, scaling: &Scaling) -> Self {
        assert!(width.is_multiple_of(2), "heads of pairs");
        let plain = (0..width / 2).map(|i| theta.powf(-2.0 * i as f64 / width as f64));
        let frequencies = match scaling {
            Scaling::None => plain.collect(),
            Scaling::Linear { factor } => plain.map(|f| f / factor).collect(),
            &Scaling::Llama3 { factor, low, high, original } => plain
                .map(|f| {
                    let waves = original * f / std::f64::consts::TAU;
                    let smooth = ((waves - low) / (high - low)).clamp(0.0, 1.0);
                    smooth * f + (1.0 - smooth) * f / factor
                })
                .collect(),
            Scaling::Each(by) => {
                assert_eq!(by.len(), width / 2, "a number for each frequency");
                plain.zip(by).map(|(f, &by)| f / f64::from(by)).collect()
            }
        };
        Rotary { frequencies }
    }

    /// The turns of `count` positions from `first` on.
    pub fn turns(&self, first: usize, count: usize, into: &mut Turns) {
        into.cos.clear();
        into.sin.clear();
        for position in first..first + count {
            for frequency in &self.frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                into.cos.push(cos as f32);
                into.sin.push(sin as f32);
            }
        }
    }
}

impl Turns {
    /// Turns the first `heads` heads of a row by the angles of position `at` of the table.
    pub fn turn(&self, at: usize, row: &mut [f32], heads: usize, width: usize) {
        let half = width / 2;
        let [cos, sin] = [&self.cos, &self.sin].map(|all| &all[at * half..][..half]);
        for head in row[..heads * width].chunks_exact_mut(width) {
            let (a, b) = head.split_at_mut(half);
            for ((a, b), (cos, sin)) in a.iter_mut().zip(b).zip(cos.iter().zip(sin)) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_keeps_lengths_and_depends_on_distance_alone() {
        let rotary = Rotary::new(4, 100.0, &Scaling::None);
        let mut turns = Turns::default();
        rotary.turns(3, 8, &mut turns);
        let turned = |at: usize, row: [f32; 4]| {
            let mut row = row;
            turns.turn(at, &mut row, 1, 4);
            row
        };
        let dot = |a: [f32; 4], b: [f32; 4]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (q, k) = ([0.3, -1.0, 2.0, 0.5], [1.0, 0.2, -0.7, 0.9]);
        assert!((dot(turned(1, q), turned(4, k)) - dot(turned(4, q), turned(7, k))).abs() < 1e-5);
        assert!((dot(turned(5, q), turned(5, q)) - dot(q, q)).abs() < 1e-5);
    }

    #[test]
    fn scalings_stretch_as_defined() {
        let of = |scaling: Scaling| Rotary::new(8, 10_000.0, &scaling).frequencies;
        assert_eq!(of(Scaling::None), [1.0, 0.1, 0.01, 0.001]);
        assert_eq!(of(Scaling::Linear { factor: 2.0 })[1], 0.05);
        assert_eq!(of(Scaling::Each(vec![1.0, 2.0, 4.0, 8.0]))[3], 0.001 / 8.0);
        // Waves within the original context: 100, 10, 1, 0.1 of them.
        let original = 100.0 * std::f64::consts::TAU;
        let got = of(Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original });
        let want = [1.0, 0.1, 0.01 / 8.0, 0.001 / 8.0];
        assert!(got.iter().zip(want).all(|(a, b)| (a / b - 1.0).abs() < 1e-9), "{got:?}");
    }
}
