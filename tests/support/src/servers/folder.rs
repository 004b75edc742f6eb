//! The folder that private servers keep everything in.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use nix::unistd::{User, geteuid};

use crate::process::remove_at_the_end;

/// A folder with one user at a time, whose content is found again unless it is temporary.
pub struct DataFolder {
    path: PathBuf,
    temporary: bool,
    /// Locked as long as this lives; the kernel frees it however we end.
    _lock: File,
}

impl DataFolder {
    /// A fresh folder that is deleted at the end, even when this program is killed.
    pub fn temporary() -> anyhow::Result<Self> {
        let name = format!("faithtracker-test-{}", random_text(6));
        let places = [std::env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")];
        let place = places
            .iter()
            .find(|place| is_reachable_for_servers(place))
            .context("neither TMPDIR nor /tmp can be reached by the postgres user")?;
        let path = place.join(name);
        create(&path)?;
        remove_at_the_end(&path).context("cannot start the guardian process")?;
        Ok(Self { _lock: lock(&path)?, path, temporary: true })
    }

    /// The folder `path`, made if need be. Fails while another process uses it.
    pub fn persistent(path: &Path) -> anyhow::Result<Self> {
        create(path)?;
        let path =
            path.canonicalize().with_context(|| format!("cannot open {}", path.display()))?;
        if !is_reachable_for_servers(&path) {
            bail!("{} cannot be reached by the postgres user", path.display());
        }
        Ok(Self { _lock: lock(&path)?, path, temporary: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it, which need not exist.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder in it that only its owner can enter, made if need be.
    pub fn private_folder(&self, name: &str, owner: Option<&User>) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .and_then(|()| match owner {
                Some(user) => std::os::unix::fs::chown(
                    &path,
                    Some(user.uid.as_raw()),
                    Some(user.gid.as_raw()),
                ),
                None => Ok(()),
            })
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(path)
    }

    /// The content of the file `name`, which only its owner can read; made by `create` when it is
    /// not there yet.
    pub fn kept(&self, name: &str, create: impl FnOnce() -> String) -> anyhow::Result<String> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = create();
                write_private(&path, &text)?;
                Ok(text)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the file `name` anew, which only its owner can read; answers where it is.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        write_private(&path, text)?;
        Ok(path)
    }

    /// A secret of letters and digits that stays the same as long as the folder does.
    pub fn kept_password(&self, name: &str) -> anyhow::Result<String> {
        self.kept(name, || random_text(24))
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary {
            // The guardian tries again later.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// The user that servers run as when we are root, which PostgreSQL refuses to be.
pub(super) fn server_user() -> anyhow::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres").context("cannot read the user database")?;
    user.map(Some).context("there is no user postgres; Debian's package postgresql makes it")
}

/// Whether every folder on the way to `path` may be passed by the user that servers run as: a
/// checkout under /root may not.
pub fn is_reachable_for_servers(path: &Path) -> bool {
    let Ok(user) = server_user() else { return false };
    let passable = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|metadata| {
            let mode = metadata.mode();
            user.as_ref().is_none_or(|user| {
                if metadata.uid() == user.uid.as_raw() {
                    mode & 0o100 != 0
                } else if metadata.gid() == user.gid.as_raw() {
                    mode & 0o010 != 0
                } else {
                    mode & 0o001 != 0
                }
            })
        })
    };
    path.canonicalize().is_ok_and(|path| path.ancestors().all(passable))
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_added_extension("new");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Random letters and digits, two for each of `bytes`: safe in names, URLs and shell words.
pub fn random_text(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::fill(&mut random[..]);
    hex::encode(random)
}

fn create(path: &Path) -> anyhow::Result<()> {
    // Others may pass but not look around; what is secret has folders and files of mode 0700, 0600.
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o711)))
        .with_context(|| format!("cannot make the folder {}", path.display()))
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join("lock");
    let lock = File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("{} is used by a running process", path.display()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", file.display()))
        }
    }
}
