//! How many 32-bit integer multiply-adds a second this processor does on so many threads: the sum of each
//! one's best try.
//!
//!   multiply-add THREADS    prints `{ "perSecond": x }`
//!
//! Twelve chains of vectors, of the widest kind that there is, from product to sum and on to the next product.

use std::hint::black_box;
use std::time::Instant;

const CHAINS: usize = 12;
/// Of a try, which ends before the scheduler looks.
const ROUNDS: u32 = 200_000;
const TRIES: usize = 200;

fn main() {
    let threads: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let each = f64::from(ROUNDS) * CHAINS as f64 * lanes() as f64;
    let sum: f64 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(best)).collect();
        running.into_iter().map(|thread| each / thread.join().expect("no try panics")).sum()
    });
    println!("{{\"perSecond\":{sum}}}");
}

/// Seconds of the fastest try.
fn best() -> f64 {
    let one = |_| {
        let started = Instant::now();
        black_box(work());
        started.elapsed().as_secs_f64()
    };
    (0..TRIES).map(one).fold(f64::INFINITY, f64::min)
}

#[cfg(target_arch = "x86_64")]
fn lanes() -> usize {
    if is_x86_feature_detected!("avx512f") {
        16
    } else if is_x86_feature_detected!("avx2") {
        8
    } else {
        1
    }
}

#[cfg(target_arch = "x86_64")]
fn work() -> u32 {
    match lanes() {
        // SAFETY: the processor has the instructions.
        16 => unsafe { avx512() },
        // SAFETY: as above.
        8 => unsafe { avx2() },
        _ => scalar(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512() -> u32 {
    use std::arch::x86_64::*;
    let (factor, term) =
        (_mm512_set1_epi32(black_box(0x85eb_ca6bu32 as i32)), _mm512_set1_epi32(black_box(7)));
    let mut chains = [term; CHAINS];
    for (k, chain) in chains.iter_mut().enumerate() {
        *chain = _mm512_set1_epi32(black_box(k as i32));
    }
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = _mm512_add_epi32(_mm512_mullo_epi32(*chain, factor), term);
        }
    }
    chains.iter().fold(0, |sum, &chain| sum ^ _mm512_reduce_add_epi32(chain) as u32)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2() -> u32 {
    use std::arch::x86_64::*;
    let (factor, term) =
        (_mm256_set1_epi32(black_box(0x85eb_ca6bu32 as i32)), _mm256_set1_epi32(black_box(7)));
    let mut chains = [term; CHAINS];
    for (k, chain) in chains.iter_mut().enumerate() {
        *chain = _mm256_set1_epi32(black_box(k as i32));
    }
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = _mm256_add_epi32(_mm256_mullo_epi32(*chain, factor), term);
        }
    }
    chains.iter().fold(0, |sum, &chain| sum ^ _mm256_extract_epi32::<0>(chain) as u32)
}

#[cfg(not(target_arch = "x86_64"))]
fn lanes() -> usize {
    1
}

#[cfg(not(target_arch = "x86_64"))]
fn work() -> u32 {
    scalar()
}

/// What the compiler makes of it for the architecture's baseline.
fn scalar() -> u32 {
    let (factor, term) = (black_box(0x85eb_ca6bu32), black_box(7));
    let mut chains: [u32; CHAINS] = std::array::from_fn(|k| black_box(k as u32));
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = chain.wrapping_mul(factor).wrapping_add(term);
        }
    }
    chains.iter().fold(0, |sum, chain| sum ^ chain)
}
