//! `weights.*`, and the kernels below it.

mod channels;
mod grids;
mod lowrank;
mod merging;
mod signs;

use crate::call::with_items;
use crate::failure::Failure;
use half::{bf16, f16};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::borrow::Cow;
use tamis_kernels::job;
use tamis_kernels::real::Stopped;

/// A float tensor: `data` holds items of `type`.
#[napi(object)]
pub struct Part {
    #[napi(js_name = "type")]
    pub dtype: String,
    pub data: Uint8Array,
}

/// Float tensors side by side: in float64 if one of them is, else in float32.
enum Numbers<'a> {
    Single(Vec<Cow<'a, [f32]>>),
    Double(Vec<Cow<'a, [f64]>>),
}

/// What [`Numbers`] are made of.
trait Widen: Copy {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure>;
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure>;
}

macro_rules! widen_halves {
    ($($t:ty)*) => {$(
        impl Widen for $t {
            fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
                Ok(items.iter().map(|x| x.to_f32()).collect())
            }
            fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
                Ok(items.iter().map(|x| x.to_f64()).collect())
            }
        }
    )*};
}

macro_rules! refuse_integers {
    ($($t:ty)*) => {$(
        impl Widen for $t {
            fn single(_: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
                Err(Failure::kind("a tensor of floats is wanted"))
            }
            fn double(_: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
                Err(Failure::kind("a tensor of floats is wanted"))
            }
        }
    )*};
}

widen_halves!(f16 bf16);
refuse_integers!(i8 u8 i16 u16 i32 u32 i64);

impl Widen for f32 {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
        Ok(Cow::Borrowed(items))
    }
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
        Ok(items.iter().map(|&x| f64::from(x)).collect())
    }
}

impl Widen for f64 {
    fn single(items: &[Self]) -> std::result::Result<Cow<'_, [f32]>, Failure> {
        Ok(items.iter().map(|&x| x as f32).collect())
    }
    fn double(items: &[Self]) -> std::result::Result<Cow<'_, [f64]>, Failure> {
        Ok(Cow::Borrowed(items))
    }
}

fn single<'a>(dtype: &str, data: &'a [u8]) -> Result<Cow<'a, [f32]>> {
    with_items!(dtype, data, |items: &[Item]| Ok(<Item as Widen>::single(items)?))
}

fn double<'a>(dtype: &str, data: &'a [u8]) -> Result<Cow<'a, [f64]>> {
    with_items!(dtype, data, |items: &[Item]| Ok(<Item as Widen>::double(items)?))
}

impl<'a> Numbers<'a> {
    fn of(parts: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Result<Self> {
        if parts.clone().any(|(dtype, _)| dtype == "float64") {
            Ok(Numbers::Double(parts.map(|(dtype, data)| double(dtype, data)).collect::<Result<_>>()?))
        } else {
            Ok(Numbers::Single(parts.map(|(dtype, data)| single(dtype, data)).collect::<Result<_>>()?))
        }
    }

    /// Copies what is borrowed, for a call that outlives its caller.
    fn into_owned(self) -> Numbers<'static> {
        fn own<T: Copy>(parts: Vec<Cow<'_, [T]>>) -> Vec<Cow<'static, [T]>> {
            parts.into_iter().map(|part| Cow::Owned(part.into_owned())).collect()
        }
        match self {
            Numbers::Single(parts) => Numbers::Single(own(parts)),
            Numbers::Double(parts) => Numbers::Double(own(parts)),
        }
    }
}

fn view(parts: &[Part]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    parts.iter().map(|part| (part.dtype.as_str(), part.data.as_ref()))
}

fn slices<'a, T: Copy>(parts: &'a [Cow<'_, [T]>]) -> Vec<&'a [T]> {
    parts.iter().map(|part| part.as_ref()).collect()
}

fn not_finite(name: &str) -> Failure {
    Failure::range(format!("{name} is not finite: it holds a NaN or infinity"))
}

fn stopped(name: &str, stopped: Stopped) -> Failure {
    match stopped {
        Stopped::NotFinite => not_finite(name),
        Stopped::Aborted => job::Aborted.into(),
    }
}
