//! The logins of a user, one per server, in a file that is for this user alone.
//!
//! Every change is a new file in the place of the old one, made under a lock, so that runs at the
//! same time lose no login and read no half one. The tokens are there in plain text: what guards
//! them is the mode of the file, and a file that others may read is refused.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::state;

/// A token is refreshed this long before its end, because calls and clocks take time.
const REFRESH_BEFORE: Duration = Duration::from_secs(30);

/// Tokens, and who gave them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Login {
    /// URL of the identity provider.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    #[serde(with = "plain")]
    pub(crate) access_token: SecretString,
    /// When the access token ends, in seconds since 1970.
    pub(crate) expires_at: u64,
    #[serde(with = "plain_option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<SecretString>,
}

impl Login {
    /// Whether the access token has ended, or does soon enough to be refreshed now.
    pub(crate) fn is_due(&self) -> bool {
        now() + REFRESH_BEFORE.as_secs() >= self.expires_at
    }

    /// Whether the access token has ended.
    pub(crate) fn is_over(&self) -> bool {
        now() >= self.expires_at
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

/// The file of logins.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    directory: PathBuf,
}

impl Logins {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("cli_logins.json")
    }

    /// The login at `server`.
    ///
    /// Errors: [`Error::Login`] if the file cannot be read, is not one of logins, or may be read by
    /// others.
    pub(crate) fn get(&self, server: &str) -> Result<Option<Login>> {
        Ok(self.read()?.remove(server))
    }

    /// Waits until no other run changes the file, and lets none do so until the answer is dropped.
    /// Errors: [`Error::Login`].
    pub(crate) async fn lock(&self) -> Result<LockedLogins> {
        let logins = self.clone();
        let locked = tokio::task::spawn_blocking(move || {
            let path = logins.directory.join("cli_logins.lock");
            let lock = || {
                state::create_directory(&logins.directory)?;
                let file =
                    state::open_private(OpenOptions::new().create(true).append(true), &path)?;
                file.lock()?;
                Ok(file)
            };
            let lock = lock().map_err(|error| failed(&path, &error))?;
            Ok(LockedLogins { logins, _lock: lock })
        });
        locked.await.map_err(|error| Error::Login(format!("failed to lock the logins: {error}")))?
    }

    fn read(&self) -> Result<BTreeMap<String, Login>> {
        let path = self.path();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(failed(&path, &error)),
        };
        check_private(&file, &path)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&path, &error))?;
        // The message of the parser may quote a token.
        serde_json::from_str(&text).map_err(|error| {
            Error::Login(format!(
                "{} is no file of logins (line {}): remove it, and log in with --login",
                path.display(),
                error.line()
            ))
        })
    }

    fn write(&self, logins: &BTreeMap<String, Login>) -> Result<()> {
        let (path, new) = (self.path(), self.directory.join("cli_logins.json.new"));
        let write = || {
            // One that is there is what a run that was killed left behind.
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let options = &mut OpenOptions::new();
            let mut file = state::open_private(options.write(true).create_new(true), &new)?;
            file.write_all(&serde_json::to_vec_pretty(logins)?)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        write().map_err(|error| failed(&path, &error))
    }
}

/// The file of logins while no other run may change it.
pub(crate) struct LockedLogins {
    logins: Logins,
    _lock: File,
}

impl LockedLogins {
    /// As [`Logins::get`].
    pub(crate) fn get(&self, server: &str) -> Result<Option<Login>> {
        self.logins.get(server)
    }

    /// Keeps `login` as the one at `server`. Errors: [`Error::Login`]; the file is then unchanged.
    pub(crate) fn put(&mut self, server: &str, login: Login) -> Result<()> {
        let mut logins = self.logins.read()?;
        logins.insert(server.to_owned(), login);
        self.logins.write(&logins)
    }

    /// Forgets the login at `server`, and gives what it was. Errors: as [`Self::put`].
    pub(crate) fn remove(&mut self, server: &str) -> Result<Option<Login>> {
        let mut logins = self.logins.read()?;
        let removed = logins.remove(server);
        if removed.is_some() {
            self.logins.write(&logins)?;
        }
        Ok(removed)
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Login(format!("failed to keep logins in {}: {error}", path.display()))
}

#[cfg(unix)]
fn check_private(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, &error))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::Login(format!(
        "{path} has tokens and is open to others (mode {mode:04o}): take it from them with \
         chmod 600, and if anybody may have read it, log in anew"
    )))
}

#[cfg(not(unix))]
fn check_private(_: &File, _: &Path) -> Result<()> {
    Ok(())
}

/// A secret as the text that it is, for the file alone.
mod plain {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(
        secret: &SecretString,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.expose_secret().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SecretString, D::Error> {
        String::deserialize(deserializer).map(SecretString::from)
    }
}

/// As [`plain`], of a secret that may be missing.
mod plain_option {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(
        secret: &Option<SecretString>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.expose_secret()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SecretString>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(SecretString::from))
    }
}

#[cfg(test)]
mod tests;
