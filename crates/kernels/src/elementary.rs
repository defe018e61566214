//! Logarithms, exponentials, error functions, sines and cosines of several numbers side by side.
//!
//! Every number goes through the same additions, products and divisions whatever its value, so that a loop over an array becomes
//! vector instructions, and the bits are the same alone, in an array and on every processor. Reductions and coefficients are those of fdlibm
//! (Sun Microsystems, 1993); those in float32 are fits of their own. Cost: some twenty operations a number, of which a division for a logarithm
//! or an error function.

const EXPONENT: u64 = 0x3ff << 52;
/// Added to a number below 2^51 it leaves the nearest integer, ties to even, in the low bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// Of an integer below 2^52: conversions of 64 bits are no vector instruction everywhere.
#[inline(always)]
pub fn from_bits52(x: u64) -> f64 {
    f64::from_bits(x | 0x433 << 52) - (1u64 << 52) as f64
}

/// The natural logarithms of positive numbers that are normal, each within an ulp.
///
/// ```
/// assert_eq!(tamis_kernels::elementary::ln(&[1.0, 2.0]), [0.0, std::f64::consts::LN_2]);
/// ```
#[inline(always)]
pub fn ln<const N: usize>(x: &[f64; N]) -> [f64; N] {
    let mut out = [0.0; N];
    for i in 0..N {
        out[i] = ln_of(x[i]);
    }
    out
}

#[inline(always)]
fn ln_of(x: f64) -> f64 {
    /// ln 2 in two parts, of which products with small integers are exact with the first.
    const HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
    /// Of s^3, s^5, ... in ln(1 + f) = 2 s + ..., s = f / (2 + f).
    const L: [f64; 7] = [
        f64::from_bits(0x3fe5_5555_5555_5593),
        f64::from_bits(0x3fd9_9999_9997_fa04),
        f64::from_bits(0x3fd2_4924_9422_9359),
        f64::from_bits(0x3fcc_71c5_1d8e_78af),
        f64::from_bits(0x3fc7_4664_96cb_03de),
        f64::from_bits(0x3fc3_9a09_d078_c69f),
        f64::from_bits(0x3fc2_f112_df3e_5244),
    ];
    /// The high word of the square root of a half: where a number becomes a power of two times one of 0.71 to 1.41.
    const MIDDLE: u64 = 0x3fe6_a09e << 32;
    let shifted = x.to_bits().wrapping_add(EXPONENT - MIDDLE);
    let power = from_bits52(shifted >> 52) - 1023.0;
    let rest = f64::from_bits((shifted & (u64::MAX >> 12)).wrapping_add(MIDDLE));
    let f = rest - 1.0;
    let half = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    s * (half + (odd + even)) + power * LOW - half + f + power * HIGH
}

/// Cosines and sines of `turns` times a whole turn, each number in [0, 1); within two ulps.
///
/// ```
/// let (cos, sin) = tamis_kernels::elementary::cos_sin_turns(&[0.0, 0.25]);
/// assert_eq!((cos, sin), ([1.0, 0.0], [0.0, 1.0]));
/// ```
#[inline(always)]
pub fn cos_sin_turns<const N: usize>(turns: &[f64; N]) -> ([f64; N], [f64; N]) {
    let (mut cos, mut sin) = ([0.0; N], [0.0; N]);
    for i in 0..N {
        (cos[i], sin[i]) = cos_sin_of(turns[i]);
    }
    (cos, sin)
}

#[inline(always)]
fn cos_sin_of(turns: f64) -> (f64, f64) {
    const S: [f64; 6] = [
        f64::from_bits(0xbfc5_5555_5555_5549),
        f64::from_bits(0x3f81_1111_1110_f8a6),
        f64::from_bits(0xbf2a_01a0_19c1_61d5),
        f64::from_bits(0x3ec7_1de3_57b1_fe7d),
        f64::from_bits(0xbe5a_e5e6_8a2b_9ceb),
        f64::from_bits(0x3de5_d93a_5acf_d57c),
    ];
    const C: [f64; 6] = [
        f64::from_bits(0x3fa5_5555_5555_554c),
        f64::from_bits(0xbf56_c16c_16c1_5177),
        f64::from_bits(0x3efa_01a0_19cb_1590),
        f64::from_bits(0xbe92_7e4f_809c_52ad),
        f64::from_bits(0x3e21_ee9e_bdb4_b1c4),
        f64::from_bits(0xbda8_fae9_be88_38d4),
    ];
    // The nearest quarter of a turn; what is left is exact.
    let shifted = 4.0 * turns + ROUND;
    let x = std::f64::consts::TAU * (turns - 0.25 * (shifted - ROUND));
    let quarter = shifted.to_bits() & 3;
    let z = x * x;
    let w = z * z;
    let sin = x + z * x * (S[0] + z * (S[1] + z * (S[2] + z * S[3]) + z * w * (S[4] + z * S[5])));
    let half = 0.5 * z;
    let less = 1.0 - half;
    let tail = z * (C[0] + z * (C[1] + z * C[2])) + w * w * (C[3] + z * (C[4] + z * C[5]));
    let cos = less + (((1.0 - less) - half) + z * tail);
    // An odd quarter changes them over; the signs follow the quarters.
    let odd = 0u64.wrapping_sub(quarter & 1);
    let (c, s) = (cos.to_bits(), sin.to_bits());
    let [over, own] = [(c & !odd) | (s & odd), (s & !odd) | (c & odd)];
    (f64::from_bits(over ^ ((quarter + 1) & 2) << 62), f64::from_bits(own ^ (quarter & 2) << 62))
}

/// The exponentials of float32 numbers, each within 1.2e-7 of itself; 0 where they fall below the normal numbers, infinite where they pass
/// the largest, NaN of NaN.
///
/// ```
/// let e = tamis_kernels::elementary::exp(&[0.0, 1.0, f32::NEG_INFINITY]);
/// assert_eq!(e, [1.0, std::f32::consts::E, 0.0]);
/// ```
#[inline(always)]
pub fn exp<const N: usize>(x: &[f32; N]) -> [f32; N] {
    let mut out = [0.0; N];
    for i in 0..N {
        out[i] = exp_of(x[i]);
    }
    out
}

#[inline(always)]
fn exp_of(x: f32) -> f32 {
    /// The logarithms of the least normal and of the largest number.
    const LEAST: f32 = -87.336_55;
    const LARGEST: f32 = 88.722_84;
    /// Added to a small number it leaves the nearest integer in the low bits.
    const ROUND: f32 = 1.5 * (1u32 << 23) as f32;
    /// ln 2 in two parts, of which products with small integers are exact with the first.
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    let inside = if x > LARGEST { LARGEST } else { x };
    let inside = if inside < LEAST { LEAST } else { inside };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let r = (inside - power * HIGH) - power * LOW;
    // e^r - 1 - r over r^2, by Chebyshev's points on [-ln 2 / 2, ln 2 / 2].
    let p = r * 1.393_365_2e-3 + 8.363_182e-3;
    let p = p * r + 4.166_646_7e-2;
    let p = p * r + 0.166_665_76;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    // In two steps: 2^128 is no number of its own.
    let power = (shifted.to_bits() << 9) as i32 >> 9;
    let half = power >> 1;
    let [a, b] = [half, power - half].map(|power| f32::from_bits(((power + 127) as u32) << 23));
    let y = y * a * b;
    let y = if x < LEAST { 0.0 } else { y };
    if x > LARGEST { f32::INFINITY } else { y }
}

/// The error functions of float32 numbers, each within 4e-7 of itself.
///
/// ```
/// assert_eq!(tamis_kernels::elementary::erf(&[0.0, 4.0, -5.0]), [0.0, 1.0, -1.0]);
/// ```
#[inline(always)]
pub fn erf<const N: usize>(x: &[f32; N]) -> [f32; N] {
    let mut out = [0.0; N];
    for i in 0..N {
        out[i] = erf_of(x[i]);
    }
    out
}

#[inline(always)]
fn erf_of(x: f32) -> f32 {
    /// From here on it rounds to 1.
    const END: f32 = 3.92;
    /// erf x / x as a ratio of polynomials of x^2, by least squares in Chebyshev's points of [0, END].
    const OVER: [f32; 6] = [
        std::f32::consts::FRAC_2_SQRT_PI,
        0.189_582_11,
        5.264_171_2e-2,
        3.730_977_4e-3,
        2.842_309_8e-4,
        2.057_987_3e-6,
    ];
    const UNDER: [f32; 6] = [1.0, 0.501_345_63, 0.113_770_21, 1.489_955e-2, 1.154_385_5e-3, 3.813_971e-5];
    let inside = if x > END { END } else { x };
    let inside = if inside < -END { -END } else { inside };
    let z = inside * inside;
    let [mut over, mut under] = [OVER[5], UNDER[5]];
    for i in (0..5).rev() {
        over = over * z + OVER[i];
        under = under * z + UNDER[i];
    }
    let y = inside * over / under;
    let y = if x > END { 1.0 } else { y };
    if x < -END { -1.0 } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_exact() {
        for x in [0, 1, 2, 1022, 2046, (1 << 52) - 1] {
            assert_eq!(from_bits52(x), x as f64);
        }
    }

    /// Ulps between two numbers of one sign.
    fn ulps(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn logarithms_are_those_of_the_library(x in prop_oneof![
            f64::MIN_POSITIVE..1e-300, 1e-20f64..1.0, 0.99f64..1.01, 1.0f64..100.0, 1e300f64..f64::MAX,
        ]) {
            let [got, other] = ln(&[x, 2.0]);
            prop_assert_eq!(got.to_bits(), libm::log(x).to_bits());
            prop_assert_eq!(other, std::f64::consts::LN_2);
        }

        #[test]
        fn exponentials_are_near(x in prop_oneof![-87.33f32..88.72, -1.0f32..1.0]) {
            let [got, zero, infinite, nan] = exp(&[x, -87.34, 88.73, f32::NAN]);
            let want = libm::exp(f64::from(x));
            prop_assert!((f64::from(got) / want - 1.0).abs() < 1.5e-7, "{} {}", got, want);
            prop_assert!(zero == 0.0 && infinite == f32::INFINITY && nan.is_nan());
        }

        #[test]
        fn error_functions_are_near(x in prop_oneof![-5.0f32..5.0, -1e-3f32..1e-3]) {
            let [got, minus, nan] = erf(&[x, -x, f32::NAN]);
            let want = libm::erf(f64::from(x));
            prop_assert!((f64::from(got) - want).abs() <= 4.5e-7 * want.abs(), "{} {}", got, want);
            prop_assert!(minus == -got && nan.is_nan());
        }

        #[test]
        fn cosines_and_sines_are_within_two_ulps(v in 0u32..1 << 23, quarter in 0u32..4) {
            // As draws are: no angle is a multiple of a quarter.
            let turns = (f64::from(v) + 0.5) / f64::from(1u32 << 23);
            let ([cos, ..], [sin, ..]) = cos_sin_turns(&[turns, 0.5]);
            // The angle's own rounding is the library's: taken off by the derivative.
            let angle = std::f64::consts::TAU * turns;
            let (want_cos, want_sin) = (libm::cos(angle), libm::sin(angle));
            prop_assert!((cos - want_cos).abs() <= 5e-16 * angle.max(1.0) && (sin - want_sin).abs() <= 5e-16 * angle.max(1.0));
            // Near to zero the angle is exact enough for ulps.
            let small = turns / 64.0;
            let ([cos], [sin]) = cos_sin_turns(&[small]);
            let angle = std::f64::consts::TAU * small;
            prop_assert!(ulps(cos, libm::cos(angle)) <= 2 && ulps(sin, libm::sin(angle)) <= 2);
            // A quarter further they are the same numbers with other signs.
            let ([c], [s]) = cos_sin_turns(&[f64::from(quarter) / 4.0 + small / 2.0]);
            let ([c0], [s0]) = cos_sin_turns(&[f64::from(quarter) / 4.0 + small / 2.0 - f64::from(quarter) / 4.0]);
            let want = [(c0, s0), (-s0, c0), (-c0, -s0), (s0, -c0)][quarter as usize];
            prop_assert_eq!((c, s), want);
        }
    }
}
