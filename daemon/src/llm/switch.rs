//! Which provider is in force. It can be changed while the daemon runs: whoever
//! asks gets the edge of this moment and keeps it, so that work under way ends
//! with the provider that it began with.
//!
//! It decides nothing about who may change it, and remembers nothing.

use std::sync::{Arc, PoisonError, RwLock};

use super::client::{Edge, Ground, configured};
use super::demo::DemoEndpoint;
use super::endpoint::EdgeError;
use super::upstream::Source;
use crate::config::ModelConfig;

/// The edge that is in force, and how to make another.
#[derive(Debug)]
pub struct Switch {
    ground: Ground,
    current: RwLock<Arc<Edge>>,
}

impl Switch {
    /// Begins with what `config` says. `demo` is what [`super::demo::start`] gave.
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`EdgeError`], when the configuration is of no use.
    pub fn new(config: &ModelConfig, demo: Option<DemoEndpoint>) -> Result<Self, EdgeError> {
        let ground = Ground::new(config, demo)?;
        let edge = ground.edge(configured(config)?, None);
        Ok(Self {
            ground,
            current: RwLock::new(Arc::new(edge)),
        })
    }

    /// The edge of this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Edge> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// From now on models come from `source`; `None` leaves the demo models alone.
    /// The catalogue is new too.
    pub fn turn_to(&self, source: Option<Source>) {
        let (endpoint, models) = source.map(Source::into_parts).unzip();
        let edge = Arc::new(self.ground.edge(endpoint, models.flatten()));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = edge;
    }
}
