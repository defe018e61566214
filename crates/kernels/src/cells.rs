//! Channels of maps as the cells of a finer grid (sub-pixel, or depth-to-space), and back.
//!
//! A copy, whatever the items are: one read and one write each, in parallel.

use crate::convolve::Axes;
use crate::permute::permute;

/// Channels as cells of the last axes.
#[derive(Debug, Clone, Copy)]
pub struct Cells {
    pub factor: usize,
    /// 2 or 3.
    pub axes: usize,
    /// The channels of a cell are apart by the number of channels of the result.
    pub apart: bool,
}

impl Cells {
    /// The sides of maps whose channels became cells.
    pub fn grown(&self, sides: Axes) -> Axes {
        std::array::from_fn(
            |axis| if axis + self.axes >= 3 { sides[axis] * self.factor } else { sides[axis] },
        )
    }

    /// The axes of maps of `sides`, and where those with cells in them lie among them: batch, channel, then side and
    /// cell by turns.
    fn axes(&self, batch: usize, channels: usize, sides: Axes) -> (Vec<usize>, Vec<usize>) {
        let n = self.axes;
        let cells = vec![self.factor; n];
        let sides = &sides[3 - n..];
        let (channel, first, mut dims) = if self.apart {
            (1 + n, 1, [vec![batch], cells, vec![channels]].concat())
        } else {
            (1, 2, [vec![batch, channels], cells].concat())
        };
        dims.extend(sides);
        let mut order = vec![0, channel];
        (0..n).for_each(|axis| order.extend([2 + n + axis, first + axis]));
        (dims, order)
    }

    /// Maps of `channels` with larger sides from those of `sides` with more channels.
    ///
    /// # Panics
    /// If the data have another shape.
    pub fn scatter<T: Copy + Default + Send + Sync>(
        &self,
        x: &[T],
        batch: usize,
        channels: usize,
        sides: Axes,
    ) -> Vec<T> {
        let (dims, order) = self.axes(batch, channels, sides);
        permute(x, &dims, &order)
    }

    /// The way back: maps of `channels` and (larger) `sides` become those of more channels.
    ///
    /// # Panics
    /// If the data have another shape.
    pub fn gather<T: Copy + Default + Send + Sync>(
        &self,
        x: &[T],
        batch: usize,
        channels: usize,
        sides: Axes,
    ) -> Vec<T> {
        let small =
            std::array::from_fn(
                |axis| if axis + self.axes >= 3 { sides[axis] / self.factor } else { sides[axis] },
            );
        let (dims, order) = self.axes(batch, channels, small);
        let large: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
        permute(x, &large, &back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_go_where_they_belong() {
        let (n, c, r, h, w) = (2, 3, 2, 2, 3);
        let x: Vec<usize> = (0..n * c * r * r * h * w).collect();
        for apart in [false, true] {
            let cells = Cells { factor: r, axes: 2, apart };
            let out = cells.scatter(&x, n, c, [1, h, w]);
            for (at, &got) in out.iter().enumerate() {
                let [item, channel, row, column] = [
                    at / (c * r * h * r * w),
                    at / (r * h * r * w) % c,
                    at / (r * w) % (r * h),
                    at % (r * w),
                ];
                let cell = row % r * r + column % r;
                let from = if apart { cell * c + channel } else { channel * r * r + cell };
                assert_eq!(got, ((item * c * r * r + from) * h + row / r) * w + column / r);
            }
            assert_eq!(cells.gather(&out, n, c, cells.grown([1, h, w])), x);
        }
        let volume = Cells { factor: 2, axes: 3, apart: false };
        let x: Vec<usize> = (0..8 * 2).collect();
        let want = [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15];
        assert_eq!(volume.scatter(&x, 1, 1, [1, 1, 2]), want);
        assert_eq!(volume.gather(&volume.scatter(&x, 1, 1, [1, 1, 2]), 1, 1, [2, 2, 4]), x);
    }
}
