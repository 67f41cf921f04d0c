//! The model edge: an HTTP body's bytes become events, events become typed
//! chunks, chunks become what a generation needs to know.
//!
//! - [`normalise`]: bytes to server-sent events, whatever the bytes.
//! - [`chunk`]: one event's JSON to a typed chunk.
//! - [`endpoint`]: one API, its client and its key.
//! - [`client`]: a chat request to a stream of [`Chunk`]s; [`answer`] is its state
//!   machine, [`failure`] what can go wrong and what is tried again.
//! - [`catalogue`]: which models there are and what they cost.
//! - [`demo`]: canned answers over the same wire format, on loopback.
//!
//! Only this module names the vendor's JSON. What it refuses to do: pass on text
//! that a provider wrote about an error, follow redirects, decompress.

pub mod answer;
pub mod catalogue;
pub mod chunk;
pub mod client;
pub mod demo;
pub mod endpoint;
pub mod failure;
mod lenient;
mod model_list;
pub mod normalise;
mod reading;
mod tally;
#[cfg(test)]
mod tests;

pub use answer::{AnswerStream, Chunk};
pub use catalogue::{Catalogue, Listing, Model, Prices, ResolvedModel};
pub use client::{ChatRequest, Edge, Message, Role};
pub use endpoint::EdgeError;
pub use failure::UpstreamError;
