//! Networks of convolutions.

use super::{Signal, axes, bytes};
use crate::call::{Now, run_on};
use crate::factor::{items, rounded};
use crate::failure::Failure;
use crate::job::{Job, guard};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::activation::Activation;
use tamis_kernels::job;
use tamis_kernels::layers::{self, Layer, Maps, Step};

#[napi(object)]
pub struct NetworkLayer {
    pub weight: Uint8Array,
    pub bias: Uint8Array,
    pub kernel: Vec<u32>,
}

/// `kind` is convolve, blend or shuffle; the rest is of some kinds.
#[napi(object)]
pub struct NetworkStep {
    pub kind: String,
    pub from: Vec<u32>,
    pub layer: Option<u32>,
    pub activation: Option<String>,
    /// Of the activation leaky.
    pub slope: Option<f64>,
    /// Of a blend: what `from[0]` is multiplied by before `from[1]` is added.
    pub scale: Option<f64>,
    pub factor: Option<u32>,
    pub axes: Option<u32>,
    pub apart: Option<bool>,
}

#[napi(object)]
pub struct Network {
    pub wide: bool,
    pub batch: u32,
    pub channels: u32,
    pub sides: Vec<u32>,
    pub layers: Vec<NetworkLayer>,
    pub steps: Vec<NetworkStep>,
}

#[napi(object)]
pub struct NetworkMaps {
    pub channels: u32,
    pub sides: Vec<u32>,
    pub data: Uint8Array,
}

#[napi(object)]
pub struct NetworkSlopes {
    pub loss: f64,
    /// Of each layer its weight's and its bias's.
    pub slopes: Vec<Uint8Array>,
}

impl NetworkStep {
    fn step(&self) -> Result<Step> {
        let from: Vec<usize> = self.from.iter().map(|&map| map as usize).collect();
        match (self.kind.as_str(), &from[..]) {
            ("convolve", [_, ..]) => {
                let activation = match self.activation.as_deref() {
                    Some("relu") => Activation::Relu,
                    Some("leaky") => Activation::Leaky(self.slope.unwrap_or(0.0)),
                    Some("tanh") => Activation::Tanh,
                    Some("sigmoid") => Activation::Sigmoid,
                    _ => Activation::None,
                };
                Ok(Step::Convolve { from, layer: self.layer.unwrap_or(0) as usize, activation })
            }
            ("blend", &[from, onto]) => Ok(Step::Blend { scale: self.scale.unwrap_or(1.0), from, onto }),
            ("shuffle", &[from]) => Ok(Step::Shuffle {
                from,
                factor: self.factor.unwrap_or(1) as usize,
                axes: self.axes.unwrap_or(2) as usize,
                apart: self.apart.unwrap_or(false),
            }),
            _ => Err(Failure::kind(format!("no step {}", self.kind)).into()),
        }
    }
}

impl Network {
    fn layers<T: Signal>(&self) -> Result<Vec<Layer<T>>> {
        let layer = |layer: &NetworkLayer| {
            Ok(Layer {
                weight: items::<T>(&layer.weight)?.to_vec(),
                bias: items::<T>(&layer.bias)?.to_vec(),
                kernel: axes(&layer.kernel)?,
            })
        };
        self.layers.iter().map(layer).collect()
    }

    fn steps(&self) -> Result<Vec<Step>> {
        self.steps.iter().map(NetworkStep::step).collect()
    }
}

/// Runs a batch through a network.
#[napi]
pub fn run_network<'env>(
    env: &'env Env,
    x: &[u8],
    network: Network,
    job: Option<&Job>,
) -> Result<Now<'env, NetworkMaps>> {
    if network.wide { run_of::<f64>(env, x, network, job) } else { run_of::<f32>(env, x, network, job) }
}

fn run_of<'env, T: Signal>(
    env: &'env Env,
    x: &[u8],
    network: Network,
    job: Option<&Job>,
) -> Result<Now<'env, NetworkMaps>> {
    let (layers, steps, sides) = (network.layers::<T>()?, network.steps()?, axes(&network.sides)?);
    let (batch, channels) = (network.batch as usize, network.channels as usize);
    let work = move |x: &[T], job: &job::Job| {
        let x = Maps { channels, sides, data: x.to_vec() };
        let Maps { channels, sides, data } = layers::run(x, batch, &layers, &steps, job)?;
        Ok((channels, sides, bytes(&data)))
    };
    run_on(env, job, items::<T>(x)?, work, |(channels, sides, data)| NetworkMaps {
        channels: channels as u32,
        sides: sides.iter().map(|&side| side as u32).collect(),
        data: Uint8Array::new(data),
    })
}

/// The mean squared error of a network's output, and its derivatives by the layers.
#[napi]
pub fn derive_network(x: &[u8], target: &[u8], network: Network) -> Result<NetworkSlopes> {
    if network.wide { derive_of::<f64>(x, target, network) } else { derive_of::<f32>(x, target, network) }
}

fn derive_of<T: Signal>(x: &[u8], target: &[u8], network: Network) -> Result<NetworkSlopes> {
    let (layers, steps, sides) = (network.layers::<T>()?, network.steps()?, axes(&network.sides)?);
    let x = Maps { channels: network.channels as usize, sides, data: items::<T>(x)?.to_vec() };
    let target = items::<T>(target)?;
    let found = guard(|| {
        Ok(layers::derive(x, target, network.batch as usize, &layers, &steps, &job::Job::default())?)
    })?;
    let both = found.by_layer.into_iter().flat_map(|(weight, bias)| [weight, bias]);
    Ok(NetworkSlopes {
        loss: found.loss,
        slopes: both.map(|slopes| Uint8Array::new(rounded::<T>(slopes))).collect(),
    })
}
