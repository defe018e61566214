//! Models: text embedders and causal language models, on tamis' own kernels.
//!
//! Texts go through a model packed one behind the other, without padding: [`pack`] cuts them into groups whose work
//! depends on nothing outside, so that results do not depend on threads. What every layer is made of is in [`linear`] (products with
//! weights in the type of their file), [`attention`] and the row functions of the kernels; [`bert`] and
//! [`llama`] put it together, [`embedder`] and [`causal`] add tokens and what users ask for.

pub mod attention;
pub mod bert;
pub mod causal;
pub mod config;
pub mod convert;
pub mod embedder;
pub mod family;
pub mod linear;
pub mod llama;
pub mod pack;
pub mod rotary;
pub mod template;
pub mod tokens;
pub mod vocabulary;
pub mod weight;
pub mod windows;
