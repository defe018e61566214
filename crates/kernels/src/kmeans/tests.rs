use super::*;
use proptest::prelude::*;

pub fn options<T>(k: usize) -> Options<'static, T> {
    Options {
        k,
        init: Init::PlusPlus,
        restarts: 1,
        max_iterations: 300,
        tolerance: 1e-4,
        spherical: false,
        batch_size: None,
        weights: None,
        seed: 0,
    }
}
