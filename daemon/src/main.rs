//! `kilnd`: arguments, configuration, telemetry, signals and exit code.

fn main() {}
