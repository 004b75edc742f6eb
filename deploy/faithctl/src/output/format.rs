//! In which form a command prints.

use clap::{Args, ValueEnum};

use super::width;

/// What every command takes that prints something to be read by programs too.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Format {
    /// In which form it prints
    #[arg(long = "output", value_enum, value_name = "FORM", default_value_t = Form::Table, hide_default_value = true)]
    form: Form,
    /// The same as --output json
    #[arg(long, conflicts_with = "form")]
    json: bool,
}

/// The forms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people, to fit the window
    #[default]
    Table,
    /// The same with every column, a row a line however long
    Wide,
    /// For programs: an array of objects for a list, else an object
    Json,
}

impl Format {
    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json || self.form == Form::Json
    }

    /// Whether all is wanted that there is room for.
    pub(crate) fn is_wide(self) -> bool {
        self.form == Form::Wide
    }

    /// The columns of the window that a table must fit into; none where it need not.
    pub(crate) fn width(self) -> Option<u16> {
        width().filter(|_| !self.is_wide())
    }
}
