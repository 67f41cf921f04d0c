//! All SQL but the journal's own: one file an aggregate.
//!
//! Functions take an executor or a connection and give domain types back; who
//! calls them owns the transaction. No connection is held across a call to a
//! model or to Docker. What was refused by a constraint becomes an error with a
//! name here, next to the query, and nowhere else.

pub mod accounts;
pub mod agent_states;
pub mod attempts;
pub mod audit;
pub mod change;
pub mod connect;
pub mod credentials;
pub mod daemons;
pub mod deployments;
pub mod error;
pub mod events;
pub mod generations;
pub mod heads;
pub mod page;
pub mod projects;
pub mod purge;
pub mod request_ids;
pub mod revisions;
pub mod sandboxes;
pub mod teams;
pub mod throttles;

pub use change::RowChange;
pub use connect::{Durability, connect, migrate};
pub use error::{Result, StoreError};
pub use page::{Cursor, PageRequest};
