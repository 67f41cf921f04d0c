//! The model edge: an HTTP body's bytes become events, events become typed
//! chunks, chunks become what a generation needs to know.
//!
//! - [`normalise`]: bytes to server-sent events, whatever the bytes.
//! - [`chunk`]: one event's JSON to a typed chunk.
//! - [`endpoint`]: one API, its client and its key.
//! - [`switch`]: which provider is in force; [`upstream`]: one that an owner may
//!   choose; [`local`]: those that run on this machine.
//! - [`client`]: a chat request to a stream of [`Chunk`]s, [`answer`] its state
//!   machine, [`failure`] what can go wrong and what is tried again.
//! - [`parser`]: the text of an answer to operations.
//! - [`catalogue`]: which models there are and what they cost.
//! - [`demo`]: canned answers over the same wire format, on loopback.
//!
//! Only this module names the vendor's JSON. What it refuses to do: pass on text
//! that a provider wrote about an error, follow redirects, decompress.

mod lenient;
mod model_list;
mod reading;
mod tally;

pub mod answer;
pub mod catalogue;
pub mod chunk;
pub mod client;
pub mod demo;
pub mod endpoint;
pub mod failure;
pub mod local;
pub mod normalise;
pub mod parser;
pub mod switch;
#[cfg(test)]
mod tests;
pub mod upstream;

pub use answer::{AnswerStream, Chunk};
pub use catalogue::{Catalogue, Listing, Model, Prices, ResolvedModel};
pub use client::{ChatRequest, Edge, Message, Provider, Role};
pub use endpoint::EdgeError;
pub use failure::UpstreamError;
pub use switch::Switch;
pub use upstream::{Source, Unfit, Upstream};
