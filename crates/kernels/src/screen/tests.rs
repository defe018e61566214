use super::*;
use crate::cpu::Cpu;
use proptest::prelude::*;

fn rows() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>)> {
    (1usize..70).prop_flat_map(|width| {
        let item = || prop_oneof![-1f32..1.0, Just(0.0), 1e3f32..1e4, Just(1e-20), Just(-1e-3)];
        let rows = move |n: usize| prop::collection::vec(item(), n * width);
        (Just(width), rows(8), rows(37))
    })
}

/// Products, upper bounds and lower bounds of 8 rows with 37 lanes, and what they bound.
fn check(
    width: usize,
    x: &[f32],
    y: &[f32],
    cpu: Cpu,
    kinds: &[Tile],
) -> Result<Vec<Vec<i32>>, TestCaseError> {
    let mean: Vec<f32> = (0..width).map(|j| y[j] / 2.0).collect();
    let coder = Coder::new(mean.clone(), cpu);
    let stride = stride(width);
    let mut panels = Panels::default();
    panels.pack(37, width, 1.0, |i, codes| coder.code(&y[i * width..][..width], 1.0, 0.0, codes));
    let mut codes = vec![0; 8 * stride];
    let coded: Vec<Coded> = (0..8)
        .map(|i| coder.code(&x[i * width..][..width], 1.0, 0.0, &mut codes[i * stride..][..stride]))
        .collect();
    let reach = Reach::of(cpu);
    let mut all = Vec::new();
    for &kind in kinds {
        let mut out = [0; ROWS * TILE];
        let rows = std::array::from_fn(|r| &codes[r * stride..][..stride]);
        kind.products(panels.panel(0), stride, rows, std::array::from_fn(|r| coded[r].sum), &mut out);
        for (r, c) in coded.iter().enumerate() {
            let slope = up(c.norm * f64::from(panels.share) + c.error + 1e-6 * (c.norm + c.error));
            let row = Row { scale: c.scale as f32, bias: 0.0, slope };
            let mut top = Top::NONE;
            let mut bounds = Vec::new();
            for v in 0..3 {
                let lane = |x: &[f32]| -> [f32; LANES] { x[v * LANES..][..LANES].try_into().unwrap() };
                let (scales, weights) = (lane(&panels.scales), lane(&panels.weights));
                let mut upper = [0.0; LANES];
                reach.raise(&out, (r, v), row, &scales, &weights, &[0.0; LANES], &mut upper, &mut top);
                let hits = reach.hits(&out, (r, v), row, &scales, &weights, &upper);
                prop_assert_eq!(hits, u16::MAX);
                bounds.extend(upper);
            }
            let mut best = f64::NEG_INFINITY;
            for i in 0..37 {
                let terms = (0..width).map(|j| {
                    let m = f64::from(mean[j]);
                    (f64::from(x[r * width + j]) - m) * (f64::from(y[i * width + j]) - m)
                });
                let value: f64 = terms.sum();
                best = best.max(value);
                prop_assert!(f64::from(bounds[i]) >= value, "{} {} {}", r, bounds[i], value);
                let error = f64::from(slope * panels.weights[i]);
                prop_assert!(f64::from(bounds[i]) - 2.001 * error <= value, "{} {} {}", r, bounds[i], value);
            }
            let (least, first, second) = top.join();
            prop_assert!(f64::from(least) <= best.max(0.0), "the lanes without a row are 0");
            prop_assert_eq!(first, bounds.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut sorted = bounds.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(second, sorted[1]);
            let mut places = Vec::new();
            select(&bounds, sorted[3], &mut places);
            prop_assert!(places.len() >= 4 && places.iter().all(|&p| bounds[p as usize] >= sorted[3]));
        }
        all.push(out.to_vec());
    }
    Ok(all)
}

proptest! {
    #[test]
    fn bounds_hold((width, x, y) in rows()) {
        for cpu in Cpu::choices() {
            let products = check(width, &x, &y, cpu, &kinds())?;
            for other in &products[1..] {
                prop_assert_eq!(other, &products[0]);
            }
        }
    }
}

/// Every tile that this processor can run.
fn kinds() -> Vec<Tile> {
    let mut kinds = vec![Tile::Portable];
    kinds.extend(Cpu::choices().into_iter().map(Tile::of));
    kinds
}

#[test]
fn the_largest_codes_do_not_overflow() {
    let stride = 1 << 12;
    let panel = vec![255u8; LANES * stride];
    let row = vec![127i8; stride];
    for tile in kinds() {
        let mut out = [0; ROWS * TILE];
        tile.products(&panel, stride, [&row; ROWS], [127 << 12; ROWS], &mut out);
        assert_eq!(out[0], (127 * 127) << 12, "{tile:?}");
    }
}

#[test]
fn a_row_of_zeros_has_codes_of_zeros() {
    let coder = Coder::new(vec![0.0f32; 5], Cpu::current());
    let mut codes = [1; 8];
    let coded = coder.code(&[0.0; 5], 1.0, 0.0, &mut codes);
    assert_eq!(codes, [0; 8]);
    assert!(coded.scale == 0.0 && coded.norm < 1e-17 && coded.error < 1e-17);
}
