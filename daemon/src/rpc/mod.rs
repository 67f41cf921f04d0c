//! The public API: the only module that names its protobuf types.
//!
//! A call passes [`layers`] (span, deadline, place), then [`auth`] (who is
//! calling, and whether they may), then the service of its file. Services read
//! [`fields`], call a use case and [`convert`] its answer; [`status`] is the only
//! place that makes a status; [`streams`] is where server streams begin and end.

pub mod auth;
pub mod auth_service;
pub mod convert;
pub mod correlation;
pub mod fields;
pub mod generation_service;
pub mod layers;
pub mod listener;
mod lists;
pub mod methods;
pub mod model_service;
pub mod page;
pub mod peer;
pub mod project_service;
pub mod revision_service;
pub mod sandbox_service;
pub mod server_service;
pub mod status;
pub mod streams;
pub mod team_service;
