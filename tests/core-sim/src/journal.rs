//! What was changed in a simulation, kept in a file: a simulation that is started again on it has the same members.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::document::Document;

/// A change of a church's members, a line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A member is as it is here, new or not.
    Kept { id: String, document: Document, to_end: bool },
    /// A member is gone for good.
    Purged { id: String },
    /// So many generated rows there are.
    Rows(u64),
    /// So many members were created.
    Created(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    church: String,
    change: Entry,
}

/// The file, which grows with every change.
#[derive(Debug)]
pub(super) struct Journal {
    file: Mutex<File>,
}

impl Journal {
    /// Opens the file, made where there is none, and tells `replay` what is in it, with the church it is of. A last line
    /// that breaks off is what was being written when its program was killed.
    pub(super) fn open(path: &Path, mut replay: impl FnMut(&str, Entry)) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut whole = 0;
        let mut lines = BufReader::new(&file);
        let mut text = String::new();
        while lines.read_line(&mut text)? > 0 {
            let Ok(line) = serde_json::from_str::<Line>(&text) else { break };
            replay(&line.church, line.change);
            whole += text.len() as u64;
            text.clear();
        }
        file.set_len(whole)?;
        Ok(Self { file: Mutex::new(file) })
    }

    /// Keeps a change. One that cannot be kept is forgotten with the simulation.
    pub(super) fn note(&self, church: &str, change: Entry) {
        let line = Line { church: church.to_owned(), change };
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&text).ok();
        }
    }
}
