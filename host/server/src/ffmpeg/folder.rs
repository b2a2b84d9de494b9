//! An attempt's folder. What a boxed program left in it is looked at through a directory handle, which follows no link
//! out of it.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::error::{Failure, Reason};

/// Opens the folder and works in it, off the async threads.
pub(super) async fn within<T: Send + 'static>(
    work_dir: &Path,
    work: impl FnOnce(&Dir) -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let work_dir = work_dir.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&Dir::open_ambient_dir(&work_dir, ambient_authority())?))
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    done.map_err(|error| {
        let full = error.kind() == io::ErrorKind::StorageFull;
        let reason = if full { Reason::DiskFull } else { Reason::Host { detail: error.to_string() } };
        reason.into()
    })
}
