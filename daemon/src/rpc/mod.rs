//! The public API: the only module that names its protobuf types.
