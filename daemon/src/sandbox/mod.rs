//! The Docker edge: the only module that names bollard.
