use super::tile::GROUP;
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

/// Products, upper bounds and lower bounds of 8 rows with 37 lanes.
fn check(width: usize, x: &[f32], y: &[f32], cpu: Cpu, sides: [Side; 2]) -> Result<(), TestCaseError> {
    let mean: Vec<f32> = (0..width).map(|j| y[j] / 2.0).collect();
    let coder = Coder::new(mean.clone(), cpu);
    let stride = stride(width);
    let tile = Tile::of(cpu);
    let mut panels = Panels::default();
    let mut lanes = vec![vec![0; stride]; TILE];
    panels.pack(37, width, 1.0, tile, |i, codes| {
        let coded = coder.code(sides[1], &y[i * width..][..width], 1.0, 0.0, codes);
        lanes[i].copy_from_slice(codes);
        coded
    });
    let mut codes = vec![0; 8 * stride];
    let coded: Vec<Coded> = (0..8)
        .map(|i| coder.code(sides[0], &x[i * width..][..width], 1.0, 0.0, &mut codes[i * stride..][..stride]))
        .collect();
    let reach = Reach::of(cpu);
    let mut out = [0; ROWS * TILE];
    let of_rows = std::array::from_fn(|r| &codes[r * stride..][..stride]);
    tile.products(panels.panel(0), stride, of_rows, std::array::from_fn(|r| coded[r].sum), &mut out);
    for (r, c) in coded.iter().enumerate() {
        for (l, lane) in lanes.iter().enumerate() {
            let products = of_rows[r].iter().zip(lane).map(|(&a, &b)| i32::from(a) * i32::from(b));
            prop_assert_eq!(out[r * TILE + l], products.sum::<i32>(), "{:?} {} {}", tile, r, l);
        }
        let slope = up(c.norm * f64::from(panels.share) + c.error + 1e-6 * (c.norm + c.error));
        let row = Row { scale: c.scale as f32, bias: 0.0, slope };
        let mut top = Top::NONE;
        let mut bounds = [0.0; TILE];
        let products = &out[r * TILE..][..TILE];
        raise(cpu, products, row, &panels.scales, &panels.weights, &[0.0; TILE], &mut bounds, &mut top);
        for v in 0..VECTORS {
            let lane = |x: &[f32]| -> [f32; LANES] { x[v * LANES..][..LANES].try_into().unwrap() };
            let (scales, weights) = (lane(&panels.scales), lane(&panels.weights));
            let hits = |least: f32| reach.hits(&out, (r, v), row, &scales, &weights, &[least; LANES]);
            for at in 0..LANES {
                let least = bounds[v * LANES + at];
                // One instruction set rounds a product that another one fuses.
                let loose = least.abs() * 1e-6 + 1e-30;
                prop_assert!(hits(least - loose) >> at & 1 == 1 && hits(least + loose) >> at & 1 == 0);
            }
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
        let mut sorted = bounds;
        sorted.sort_by(|a, b| b.total_cmp(a));
        prop_assert_eq!([first, second], [sorted[0], sorted[1]]);
        let mut places = Vec::new();
        select(cpu, &bounds, sorted[3], &mut places);
        let reach: Vec<u32> = (0..TILE as u32).filter(|&p| bounds[p as usize] >= sorted[3]).collect();
        prop_assert_eq!(places, reach);
    }
    Ok(())
}

proptest! {
    #[test]
    fn bounds_hold((width, x, y) in rows()) {
        for cpu in Cpu::choices() {
            for sides in [[Side::Row, Side::Lane], [Side::Both; 2]] {
                check(width, &x, &y, cpu, sides)?;
            }
        }
    }
}

/// Every tile that this processor can run.
fn kinds() -> Vec<Tile> {
    Cpu::choices().into_iter().map(Tile::of).collect()
}

/// Rows whose fours sum to the most, in turns one code and all of them, of one sign and of both.
#[test]
fn the_largest_codes_do_not_overflow() {
    let stride = (1 << 12) + GROUP;
    for tile in kinds() {
        let (row, lane) = (tile.range(Side::Row), tile.range(Side::Lane));
        let most = row.fours.map_or(4 * i32::from(row.largest), i32::from);
        let fours = [[127, 127, most - 254, 0].map(|code| code.clamp(0, 127) as i8), [(most / 4) as i8; 4]];
        for (four, sign) in fours.into_iter().flat_map(|four| [(four, 1), (four, -1)]) {
            let places = |i: usize| i / 2 % 4 / 2 * 2 + i % 2;
            let codes: Vec<i8> = (0..stride).map(|i| sign * four[places(i)]).collect();
            for code in [lane.largest, -lane.largest] {
                let panel = vec![(code as u8).wrapping_add(tile.offset()); LANES * stride];
                let sum: i32 = codes.iter().map(|&code| i32::from(code)).sum();
                let mut out = [0; ROWS * TILE];
                tile.products(&panel, stride, [&codes; ROWS], [sum; ROWS], &mut out);
                assert_eq!(out[0], sum * i32::from(code), "{tile:?} {four:?}");
            }
        }
    }
}

#[test]
fn codes_keep_to_the_range() {
    let x: Vec<f32> = (0..4096).map(|i| ((i * i) as f32 * 0.37).sin() * 1.1f32.powi(i % 50)).collect();
    for cpu in Cpu::choices() {
        for width in [1, 7, 8, 16, 383, 384, 4096] {
            let coder = Coder::new(vec![0.0f32; width], cpu);
            for side in [Side::Row, Side::Lane, Side::Both] {
                let range = Tile::of(cpu).range(side);
                let mut codes = vec![0; width.next_multiple_of(8)];
                coder.code(side, &x[..width], 1.0, 0.0, &mut codes);
                assert!(codes.iter().all(|code| code.abs() <= range.largest), "{side:?} {width}");
                for eight in codes.chunks(8) {
                    for from in [0, 2] {
                        let four: i16 = [0, 1, 4, 5].map(|l| i16::from(eight[from + l]).abs()).iter().sum();
                        assert!(range.fours.is_none_or(|most| four <= most), "{side:?} {width} {four}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_of_zeros_has_codes_of_zeros() {
    let coder = Coder::new(vec![0.0f32; 5], Cpu::current());
    let mut codes = [1; 8];
    let coded = coder.code(Side::Row, &[0.0; 5], 1.0, 0.0, &mut codes);
    assert_eq!(codes, [0; 8]);
    assert!(coded.scale == 0.0 && coded.norm < 1e-17 && coded.error < 1e-17);
}
