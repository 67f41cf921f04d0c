//! The code with which the first owner signs up. It is kept in a file that only
//! the daemon's user can read, and is never logged.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::ServeError;
use crate::app::accounts::{Accounts, Bootstrap};
use crate::postgres::DataDir;

/// The first owner of a server without one needs a code: it goes to the log
/// and to a file that only the daemon's user can read.
pub(super) async fn write_code(accounts: &Accounts, data_dir: &DataDir) -> Result<(), ServeError> {
    let path = data_dir.path().join("bootstrap-code");
    let kept = std::fs::read_to_string(&path).ok();
    match accounts
        .ensure_bootstrap_code(kept.as_deref())
        .await
        .map_err(anyhow::Error::new)?
    {
        Bootstrap::NotNeeded | Bootstrap::Kept => {}
        Bootstrap::New(code) => {
            write_private(&path, code.expose()).map_err(anyhow::Error::new)?;
            tracing::info!(
                file = %path.display(),
                "no owner yet: sign up with the code in this file, or use the unix socket as the user who runs the daemon"
            );
        }
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")
}
