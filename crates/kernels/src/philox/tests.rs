use super::*;
use proptest::prelude::*;

#[test]
fn the_cipher_has_the_published_answers() {
    assert_eq!(cipher([0; 4], (0, 0)), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    let ones = u32::MAX;
    assert_eq!(cipher([ones; 4], (ones, ones)), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    let pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    let answer = [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1];
    assert_eq!(cipher(pi, (0xa4093822, 0x299f31d0)), answer);
}

#[test]
fn a_seed_of_64_bits_and_the_last_stream() {
    let mut out = [0; 9];
    Philox::new(81985529216486895, u32::MAX).words(0, &mut out);
    let want = [
        3465322582, 2130797111, 1544007342, 444711187, 3297325251, 2240255106, 3802143015, 1680925993,
        2516531436,
    ];
    assert_eq!(out, want);
}

#[test]
fn draws_have_the_independent_oracle_s_values() {
    let draws = Philox::new(5, 2);
    let mut out = [0.0; 4];
    draws.uniform(0, &mut out);
    assert_eq!(out, [0.73049754, 0.21561831, 0.0012530684, 0.19243771]);
    let mut out = [0.0; 3];
    draws.uniform64(0, &mut out);
    assert_eq!(out, [0.7304975789076692, 0.001253019830313895, 0.2817667627961514]);
    let mut out = [0.0f64; 6];
    Philox::new(9, 1).normal(&mut out);
    let want = [
        -0.7374545662546775,
        -0.6043333568122958,
        1.3369493226387523,
        0.39354412882158213,
        -0.5661341119904736,
        0.8006057100822973,
    ];
    out.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-14, "{got} {want}"));
    let mut out = [0.0f64; 4];
    Philox::new(6, 1).gumbel(0, &mut out);
    let want = [2.123222, 1.4343346, 3.9346232, 0.45419434];
    out.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-6, "{got} {want}"));
    let mut out = [0; 12];
    Philox::new(8, 5).below(0, 10, &mut out);
    assert_eq!(out, [8, 5, 5, 1, 3, 5, 4, 3, 7, 2, 4, 4]);
    let want = [13, 2, 17, 10, 18, 19, 15, 8, 5, 0, 1, 7, 12, 14, 3, 6, 4, 9, 16, 11];
    assert_eq!(Philox::new(3, 4).permutation(20), want);
}

#[test]
fn the_ends_of_the_intervals_are_never_drawn() {
    assert_eq!((uniform(0), uniform(u32::MAX)), (0.5 / 8388608.0, 1.0 - 0.5 / 8388608.0));
    assert!(uniform64(0, 0) > 0.0);
    assert!(uniform64(u32::MAX, u32::MAX) < 1.0);
    assert!(gumbels_of(&[[u32::MAX; 2]])[0] < 36.75);
}

#[test]
fn the_thread_count_does_not_show() {
    let one = |threads: usize| {
        let pool = crate::threads::Budget::of(threads);
        let draws = Philox::new(1, 2);
        pool.install(|| {
            let mut words = vec![0; 3 * TASK + 5];
            draws.words(3, &mut words);
            let mut normal = vec![0.0; 2 * TASK + 3];
            draws.normal(&mut normal);
            let mut gumbel = vec![0.0; TASK + 1];
            draws.gumbel(9, &mut gumbel);
            (words, normal, gumbel)
        })
    };
    let (words, normal, gumbel) = one(1);
    assert!(
        (one(2), one(7))
            == ((words.clone(), normal.clone(), gumbel.clone()), (words.clone(), normal, gumbel))
    );
    let draws = Philox::new(1, 2);
    assert!((3..).zip(&words).all(|(i, &w)| w == draws.word(i)));
}

proptest! {
    #[test]
    fn every_path_gives_the_words_one_by_one(
        seed: u64, stream: u32, first in 0u64..1 << 40, len in 0usize..300
    ) {
        let want: Vec<u32> = (first..first + len as u64).map(|i| Philox::new(seed, stream).word(i)).collect();
        for cpu in Cpu::choices() {
            let draws = Philox::with_cpu(seed, stream, cpu);
            let mut got = vec![0; len];
            draws.words(first, &mut got);
            prop_assert_eq!(&got, &want);
            let mut reals = vec![0.0; len];
            draws.uniform(first, &mut reals);
            prop_assert!(reals.iter().zip(&want).all(|(&x, &w)| x == uniform(w)));
            let mut wide = vec![0.0; len / 2];
            draws.uniform64(first, &mut wide);
            let word = |i| draws.word(i);
            prop_assert!((first..).zip(&wide).all(|(i, &x)| x == uniform64(word(2 * i), word(2 * i + 1))));
            let heads = (draws.first_words(len), draws.first_uniform(len));
            prop_assert!((0..).zip(&heads.0).all(|(i, &w)| w == word(i)));
            prop_assert!((0..).zip(&heads.1).all(|(i, &x)| x == uniform(word(i))));
        }
    }

    #[test]
    fn real_draws_are_the_formulas_on_every_path(seed: u64, len in 0usize..600) {
        let draws = Philox::new(seed, 3);
        let normal: Vec<f64> = draws.first_normal(len);
        for (i, x) in normal.iter().enumerate() {
            let [u, v] = [0, 1].map(|k| f64::from(uniform(draws.word((i as u64 & !1) + k))));
            let angle = std::f64::consts::TAU * v;
            let turned = if i.is_multiple_of(2) { libm::cos(angle) } else { libm::sin(angle) };
            let want = libm::sqrt(-2.0 * libm::log(u)) * turned;
            prop_assert!((x - want).abs() <= 1e-14, "{} {} {}", i, x, want);
        }
        let gumbel: Vec<f64> = draws.first_gumbel(len);
        for (i, x) in gumbel.iter().enumerate() {
            let [high, low] = [0, 1].map(|k| draws.word(2 * i as u64 + k));
            prop_assert_eq!(x.to_bits(), (-libm::log(-libm::log(uniform64(high, low)))).to_bits());
        }
        for cpu in Cpu::choices() {
            let draws = Philox::with_cpu(seed, 3, cpu);
            let bits = |x: Vec<f64>| x.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            prop_assert_eq!(bits(draws.first_normal(len)), bits(normal.clone()));
            prop_assert_eq!(bits(draws.first_gumbel(len)), bits(gumbel.clone()));
            prop_assert_eq!(draws.first_normal::<f32>(len), normal.iter().map(|&x| x as f32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_part_of_a_stream_is_that_part(seed: u64, first in 0u64..1000, len in 0usize..600) {
        let draws = Philox::new(seed, 1);
        let mut all = vec![0.0f64; 1600];
        draws.gumbel(0, &mut all);
        let mut part = vec![0.0; len];
        draws.gumbel(first, &mut part);
        prop_assert_eq!(&part[..], &all[first as usize..first as usize + len]);
        prop_assert!((0..1600).all(|i| draws.gumbel_at(i).to_bits() == all[i as usize].to_bits()));
    }
}
