//! The directory where the client keeps what it knows from run to run, and its files: for the user
//! alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// `sqe` in `XDG_STATE_HOME`, by default `~/.local/state`; none if there is no home either.
pub(crate) fn directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    Some(state?.join("sqe"))
}

/// Makes `directory` and what is missing above it; takes it from others if it is there already.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    #[cfg(unix)]
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Opens `path` as `options` say; a file that this makes can be read by the user alone.
pub(crate) fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[track_caller]
    fn check_mode(path: &Path, expected: u32) {
        let mode = std::fs::metadata(path).expect("exists").permissions().mode();
        assert_eq!(mode & 0o777, expected, "{}", path.display());
    }

    #[test]
    fn others_see_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("state/sqe");
        create_directory(&directory).expect("creates");
        check_mode(&directory, 0o700);
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("is ours");
        create_directory(&directory).expect("is there");
        check_mode(&directory, 0o700);
        let file = directory.join("file");
        open_private(OpenOptions::new().append(true).create(true), &file).expect("creates");
        check_mode(&file, 0o600);
    }
}
