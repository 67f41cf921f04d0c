//! Compiles the schema without `protoc`.

use std::path::PathBuf;

use prost::Message;

const FILES: &[&str] = &[
    "kiln/v1/auth_service.proto",
    "kiln/v1/error_reason.proto",
    "kiln/v1/event.proto",
    "kiln/v1/generation.proto",
    "kiln/v1/generation_service.proto",
    "kiln/v1/model_service.proto",
    "kiln/v1/project_service.proto",
    "kiln/v1/revision_service.proto",
    "kiln/v1/sandbox_service.proto",
    "kiln/v1/server_service.proto",
    "kiln/v1/team_service.proto",
    "kiln/supervisor/v1/supervisor_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=kiln");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // Reflection shows the public API only: what the supervisor speaks is ours.
    let mut public = descriptors.clone();
    public
        .file
        .retain(|file| !file.name().starts_with("kiln/supervisor/"));
    std::fs::write(out.join("kiln.bin"), public.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".kiln.supervisor.v1")
        .bytes(".kiln.v1.ExportRevisionResponse")
        .compile_fds(descriptors)?;
    Ok(())
}
