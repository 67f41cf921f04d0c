//! The public API: the only module that names its protobuf types.
//!
//! A call passes [`layers`] (span, deadline, place), then [`auth`] (who is
//! calling, and whether they may), then the service of its file. Services read
//! [`fields`], call a use case and [`convert`] its answer; [`status`] is the only
//! place that makes a status.

pub mod auth;
pub mod auth_service;
pub mod convert;
pub mod correlation;
pub mod fields;
pub mod layers;
pub mod methods;
pub mod page;
pub mod peer;
pub mod status;
pub mod team_service;
