//! Where the servers' programs are: those of this machine, or those of another Debian in a folder.
//!
//! Of the folder only `/usr` is used, put in place of the machine's own for the server alone, in a
//! mount namespace that ends with it. So users, data folders, network and the paths of the programs
//! stay what they are, nothing is left mounted, and root is not needed where the kernel lets users
//! have namespaces of their own.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use nix::unistd::{User, getegid, geteuid};

use crate::process::Launch;

/// Environment variable with the folder that `deploy/servers-of` made.
const FOLDER: &str = "TEST_SERVERS_FOLDER";

/// As root: mounts, then becomes the server's user, or stays root without one.
const ENTER: &str = r#"
mount --bind "$1/usr" /usr
user=$2 group=$3
shift 3
[ -n "$user" ] || exec "$@"
exec setpriv --reuid="$user" --regid="$group" --clear-groups -- "$@"
"#;

/// As a user who is root only in the namespace, and there becomes himself again.
const ENTER_AS_USER: &str = r#"
mount --bind "$1/usr" /usr
user=$2 group=$3
shift 3
exec unshare --user --map-user="$user" --map-group="$group" -- "$@"
"#;

/// Where the programs of PostgreSQL, RabbitMQ and Erlang are.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    /// None: on this machine.
    folder: Option<PathBuf>,
}

impl Installation {
    /// The machine's own, unless the environment names a folder.
    pub(super) fn chosen() -> anyhow::Result<Self> {
        let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) else {
            return Ok(Self { folder: None });
        };
        let folder = PathBuf::from(folder);
        if !folder.join("usr/lib").is_dir() {
            bail!("{FOLDER} names {}, which is no Debian", folder.display());
        }
        Ok(Self { folder: Some(folder) })
    }

    /// The first of `candidates` that there is.
    pub(super) fn first_existing(&self, candidates: &[&str]) -> Option<PathBuf> {
        candidates.iter().map(PathBuf::from).find(|path| self.seen_from_here(path).is_file())
    }

    /// The newest of the folders `parent/*/child` that holds `program`, by version number.
    pub(super) fn newest_folder(
        &self,
        parent: &str,
        child: &str,
        program: &str,
    ) -> Option<PathBuf> {
        let version = |path: &PathBuf| -> Option<Vec<u32>> {
            let name = path.file_name()?.to_str()?;
            name.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok()).collect()
        };
        std::fs::read_dir(self.seen_from_here(Path::new(parent)))
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join(child).join(program).is_file())
            .max_by_key(|path| version(path))
            .map(|path| Path::new(parent).join(path.file_name().unwrap_or_default()).join(child))
    }

    /// Prepares a server, see [`Launch::new`], to run as `user`.
    pub(super) fn launch(
        &self,
        name: &str,
        program: &Path,
        user: Option<&User>,
        log: &Path,
    ) -> Launch {
        match self.entering(program, user) {
            None => Launch::new(name, program, log).user(user),
            Some((enter, arguments)) => Launch::new(name, enter, log).arguments(arguments),
        }
    }

    /// Prepares one of their commands to run as `user`.
    pub(super) fn command(&self, program: &Path, user: Option<&User>) -> Command {
        let Some((enter, arguments)) = self.entering(program, user) else {
            let mut command = Command::new(program);
            if let Some(user) = user {
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            }
            return command;
        };
        let mut command = Command::new(enter);
        command.args(arguments);
        command
    }

    /// The path of something by which a script can run `program` without knowing of a folder: a
    /// script at `path`, where one is needed.
    pub(super) fn for_scripts(&self, program: &Path, path: &Path) -> anyhow::Result<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let Some((enter, arguments)) = self.entering(program, None) else {
            return Ok(program.to_owned());
        };
        let quoted = arguments
            .iter()
            .map(|argument| format!("'{}'", argument.to_string_lossy().replace('\'', r"'\''")));
        let words: Vec<String> = quoted.collect();
        let script = format!("#!/bin/sh\nexec {} {} \"$@\"\n", enter.display(), words.join(" "));
        std::fs::write(path, script)
            .and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(0o700)))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path.to_owned())
    }

    /// A path among the servers' programs as this process sees it.
    fn seen_from_here(&self, path: &Path) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.join(path.strip_prefix("/").unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    /// What to run, and its arguments up to those of `program`; none on this machine.
    fn entering(&self, program: &Path, user: Option<&User>) -> Option<(&Path, Vec<OsString>)> {
        let folder = self.folder.as_ref()?;
        let root = geteuid().is_root();
        let (namespaces, script): (&[&str], _) = if root {
            (&["--mount", "--propagation", "private"], ENTER)
        } else {
            (&["--user", "--map-root-user", "--mount"], ENTER_AS_USER)
        };
        let (user, group) = match user {
            Some(user) => (user.uid.to_string(), user.gid.to_string()),
            None if root => (String::new(), String::new()),
            None => (geteuid().to_string(), getegid().to_string()),
        };
        let mut arguments: Vec<OsString> = namespaces.iter().map(OsString::from).collect();
        arguments.extend(["--", "/bin/sh", "-euc", script, "enter"].map(OsString::from));
        arguments.extend([folder.into(), user.into(), group.into(), program.into()]);
        Some((Path::new("/usr/bin/unshare"), arguments))
    }
}
