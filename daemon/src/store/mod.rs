//! All SQL: one file an aggregate.

pub mod accounts;
pub mod audit;
pub mod credentials;
pub mod teams;
pub mod throttles;
