//! Making a cluster, once: aside, and moved into place when it is whole.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, lchown};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use uuid::Uuid;

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::layout::{Layout, last_lines};
use crate::fresh;

/// The name of the database's superuser; no operating system user is called so.
pub(super) const SUPERUSER: &str = "kiln";

/// How long `initdb` may take; it takes about a second.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The beginning of the names of clusters that are being made.
const ASIDE: &str = "cluster.new-";

/// Makes the cluster of `layout`, which has none.
pub(super) async fn make(
    layout: &Layout,
    account: &Account,
    binaries: &Binaries,
) -> Result<(), PostgresError> {
    // A name of its own: an `initdb` whose daemon was killed may still be writing.
    let aside = layout
        .root()
        .join(format!("{ASIDE}{}", fresh::id::<Uuid>()));
    match run_initdb(&aside, account, binaries, "C.UTF-8").await {
        // Some systems have no C.UTF-8; C orders text in the same way.
        Err(PostgresError::InitDb { detail }) if detail.contains("locale") => {
            sweep(layout.root());
            run_initdb(&aside, account, binaries, "C").await?;
        }
        other => other?,
    }
    let cluster = layout.cluster();
    fs::rename(&aside, &cluster).map_err(PostgresError::io("create", &cluster))?;
    File::open(layout.root())
        .and_then(|dir| dir.sync_all())
        .map_err(PostgresError::io("sync", layout.root()))
}

/// Removes what earlier daemons left half-made. What an `initdb` without a
/// daemon still writes to may stay until the next start.
pub(super) fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE)
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "could not remove half a cluster");
        }
    }
}

async fn run_initdb(
    dir: &Path,
    account: &Account,
    binaries: &Binaries,
    locale: &str,
) -> Result<(), PostgresError> {
    DirBuilder::new()
        .mode(0o700)
        .create(dir)
        .map_err(PostgresError::io("create", dir))?;
    if account.drops {
        lchown(dir, Some(account.uid), Some(account.gid))
            .map_err(PostgresError::io("hand over", dir))?;
    }
    let program = binaries.initdb();
    let mut command = Command::new(&program);
    account
        .run_as(&mut command)
        .arg("-D")
        .arg(dir)
        .args(["-U", SUPERUSER, "-E", "UTF8"])
        .arg(format!("--locale={locale}"))
        .args(["--auth-local=peer", "--auth-host=reject"])
        .args(["--data-checksums", "--no-instructions"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let output = tokio::time::timeout(TIMEOUT, command.output())
        .await
        .map_err(|_| PostgresError::InitDb {
            detail: format!("initdb took more than {} s", TIMEOUT.as_secs()),
        })?
        .map_err(PostgresError::io("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::InitDb {
        detail: last_lines(&String::from_utf8_lossy(&output.stderr)),
    })
}
