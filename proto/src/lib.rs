//! The schema of Kiln and nothing else: generated messages, clients and
//! servers, and the descriptor set that reflection serves.
#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    unused_qualifications
)]

/// The public API, `kiln.v1`.
pub mod v1 {
    tonic::include_proto!("kiln.v1");
}

/// What the daemon and the supervisor inside a sandbox say to each other.
pub mod supervisor {
    /// Version 1; both sides are always built together.
    pub mod v1 {
        tonic::include_proto!("kiln.supervisor.v1");
    }
}

/// The encoded `FileDescriptorSet` of the public API, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kiln.bin"));
