//! Which instruction sets of this processor the kernels use.
//!
//! The binary is built for the baseline of its architecture; kernels that gain from more choose at run time. The
//! environment variable `TAMIS_CPU`, read once, caps the choice: `baseline` (nothing beyond the architecture's
//! baseline) or `avx2` (no AVX-512). Results are the same bytes under each.

use std::sync::OnceLock;

/// What kernels may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// 256-bit integer vectors (with BMI2 and LZCNT, which every such processor has).
    pub avx2: bool,
    /// 512-bit vectors with byte operations and masks (F, BW, VL, VBMI2 is not asked for).
    pub avx512: bool,
    /// The SHA-256 instructions.
    pub sha: bool,
}

impl Cpu {
    /// Nothing beyond the architecture's baseline.
    pub const BASELINE: Cpu = Cpu { avx2: false, avx512: false, sha: false };

    /// All that this processor has.
    pub fn detected() -> Cpu {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            let sha = is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("ssse3")
                && is_x86_feature_detected!("sse4.1");
            Cpu { avx2, avx512, sha }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Cpu::BASELINE
    }

    /// What `TAMIS_CPU` leaves of [`Cpu::detected`].
    pub fn current() -> Cpu {
        static CURRENT: OnceLock<Cpu> = OnceLock::new();
        *CURRENT.get_or_init(|| Cpu::detected().capped(std::env::var("TAMIS_CPU").ok().as_deref()))
    }

    fn capped(self, cap: Option<&str>) -> Cpu {
        match cap {
            Some("baseline") => Cpu::BASELINE,
            Some("avx2") => Cpu { avx512: false, ..self },
            _ => self,
        }
    }

    /// Every distinct choice that this processor can run, the baseline first: for tests that compare them.
    pub fn choices() -> Vec<Cpu> {
        let all = Cpu::detected();
        let mut choices = Vec::new();
        for avx2 in [false, true] {
            for avx512 in [false, true] {
                for sha in [false, true] {
                    let possible =
                        (!avx2 || all.avx2) && (!avx512 || (all.avx512 && avx2)) && (!sha || all.sha);
                    if possible {
                        choices.push(Cpu { avx2, avx512, sha });
                    }
                }
            }
        }
        choices
    }
}

/// Sends for the cache line of an address, which may be any.
#[inline(always)]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing; SSE is in the architecture's baseline.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Defines a function that runs with the widest vectors that its first argument, a [`Cpu`], has: its body is compiled for
/// the baseline, for AVX2 and for AVX-512, and is what the compiler makes of plain loops. Same bits from each: nothing
/// here lets the compiler reorder floats or fuse a product with a sum.
macro_rules! vectorized {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident $(<$t:ident: $bound:ident>)? (
            $cpu:ident: Cpu, $($arg:ident: $type:ty),* $(,)?
        ) $(-> $out:ty)?
        $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name $(<$t: $bound>)? ($cpu: $crate::cpu::Cpu, $($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn here $(<$t: $bound>)? ($cpu: $crate::cpu::Cpu, $($arg: $type),*) $(-> $out)? {
                let _ = $cpu;
                $body
            }

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn avx512 $(<$t: $bound>)? ($cpu: $crate::cpu::Cpu, $($arg: $type),*) $(-> $out)? {
                    here($cpu, $($arg),*)
                }

                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                fn avx2 $(<$t: $bound>)? ($cpu: $crate::cpu::Cpu, $($arg: $type),*) $(-> $out)? {
                    here($cpu, $($arg),*)
                }

                if $cpu.avx512 {
                    // SAFETY: the processor has the instructions, says its argument.
                    return unsafe { avx512($cpu, $($arg),*) };
                }
                if $cpu.avx2 {
                    // SAFETY: the same.
                    return unsafe { avx2($cpu, $($arg),*) };
                }
            }
            here($cpu, $($arg),*)
        }
    };
}
pub(crate) use vectorized;

/// The names of the instruction sets in use, beyond the architecture's baseline.
///
/// ```
/// let names = tamis_kernels::cpu::instruction_sets();
/// assert!(names.iter().all(|name| ["AVX2", "AVX-512", "SHA"].contains(name)));
/// ```
pub fn instruction_sets() -> Vec<&'static str> {
    let cpu = Cpu::current();
    [(cpu.avx2, "AVX2"), (cpu.avx512, "AVX-512"), (cpu.sha, "SHA")]
        .into_iter()
        .filter_map(|(used, name)| used.then_some(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    vectorized! {
        /// A sum in the order of its terms.
        fn sum<T: Wide>(cpu: Cpu, x: &[T]) -> f64 {
            x.iter().fold(0.0, |sum, &x| sum + x.wide())
        }
    }

    trait Wide: Copy {
        fn wide(self) -> f64;
    }

    impl Wide for f32 {
        fn wide(self) -> f64 {
            self.into()
        }
    }

    #[test]
    fn every_choice_gives_the_same_bits() {
        let x: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin() * 1e3).collect();
        let want = sum(Cpu::BASELINE, &x).to_bits();
        assert!(Cpu::choices().into_iter().all(|cpu| sum(cpu, &x).to_bits() == want));
    }

    #[test]
    fn a_cap_only_takes_away() {
        let all = Cpu { avx2: true, avx512: true, sha: true };
        assert_eq!(all.capped(None), all);
        assert_eq!(all.capped(Some("avx2")), Cpu { avx512: false, ..all });
        assert_eq!(all.capped(Some("baseline")), Cpu::BASELINE);
    }

    #[test]
    fn the_choices_begin_with_the_baseline_and_end_with_everything() {
        let choices = Cpu::choices();
        assert_eq!(choices[0], Cpu::BASELINE);
        assert_eq!(*choices.last().unwrap(), Cpu::detected());
    }
}
