//! What a state keeps of the places that a shard has.

use super::{PHASE, Part, Place, PlaceOptions, Places, Shard, State};
use crate::passes::blob::{Reader, Writer};

/// Numbers of records, of their vectors' items and of their numbers.
pub(super) type Ends = [usize; 3];

/// Bytes of a place in a shard's blob.
const PLACE: usize = 48;

/// What a shard's blob holds.
struct Kept {
    part: Part,
    places: Vec<Place>,
    vectors: Vec<f32>,
    numbers: Vec<f64>,
}

impl Kept {
    /// Reads what [`Places::to_bytes`] wrote of records that have vectors of this width, and so many numbers.
    fn read(bytes: &[u8], width: usize, fields: usize, hash: bool) -> Option<Kept> {
        let mut r = Reader::new(bytes);
        let part = Part::read(&mut r, hash)?;
        let place = |r: &mut Reader| {
            Some(Place {
                ordinal: r.u64()?,
                offset: r.u64()?,
                len: r.u64()?.try_into().ok()?,
                text_bytes: r.u64()?.try_into().ok()?,
                tokens: r.u64()?.try_into().ok()?,
                file: r.u64()?.try_into().ok()?,
            })
        };
        let places = (0..r.len(PLACE)?).map(|_| place(&mut r)).collect::<Option<Vec<Place>>>()?;
        let vectors =
            r.bytes()?.as_chunks().0.iter().map(|&item| f32::from_le_bytes(item)).collect::<Vec<f32>>();
        let numbers = (0..r.len(8)?).map(|_| r.f64()).collect::<Option<Vec<f64>>>()?;
        r.end()?;
        let fits = places.len() as u64 == part.totals.records
            && vectors.len() == places.len() * width
            && numbers.len() == places.len() * fields;
        fits.then_some(Kept { part, places, vectors, numbers })
    }
}

impl Places {
    pub(super) fn ends(&self) -> Ends {
        [self.places.len(), self.vectors.len(), self.numbers.len()]
    }

    /// The blob of a shard whose records are those from `start` on: what was seen of it (see [`Part::write`]), its places (their
    /// number, six words each), the bytes of its vectors, its numbers.
    pub(super) fn to_bytes(&self, part: &Part, [place, vector, number]: Ends) -> Vec<u8> {
        let mut w = Writer::default();
        part.write(&mut w);
        w.u64((self.places.len() - place) as u64);
        for place in &self.places[place..] {
            let Place { ordinal, offset, len, text_bytes, tokens, file } = *place;
            for x in [ordinal, offset, len.into(), text_bytes.into(), tokens.into(), file.into()] {
                w.u64(x);
            }
        }
        w.u64((4 * (self.vectors.len() - vector)) as u64);
        self.vectors[vector..].iter().for_each(|x| w.out.extend_from_slice(&x.to_le_bytes()));
        w.u64((self.numbers.len() - number) as u64);
        self.numbers[number..].iter().for_each(|&x| w.f64(x));
        w.out
    }

    /// Takes in the finished shards at the front; returns how many there are.
    pub(super) fn restore(
        &mut self,
        shards: &[Shard],
        options: &PlaceOptions,
        hash: bool,
        state: &State,
    ) -> usize {
        for (i, shard) in shards.iter().enumerate() {
            let blob = state.get(PHASE, i as u64);
            let kept = blob.and_then(|blob| Kept::read(&blob, self.width, options.numbers.len(), hash));
            let Some(mut kept) = kept else { return i };
            self.places.append(&mut kept.places);
            self.vectors.append(&mut kept.vectors);
            self.numbers.append(&mut kept.numbers);
            self.seen.add(shard.file, kept.part);
        }
        shards.len()
    }
}
