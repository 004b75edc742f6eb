//! A campus as a person names it: by its id, or by its name where only one has it.

use std::{convert::Infallible, str::FromStr};

use database::{Client, DatabaseError};
use thiserror::Error;
use uuid::Uuid;

/// A campus as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CampusReference {
    /// By its id, whether there is one or not.
    Id(Uuid),
    /// By its name.
    Name(String),
}

/// Why a name leads to no campus.
#[derive(Debug, Error)]
pub enum CampusReferenceError {
    /// No campus has the name.
    #[error("no campus is named {name:?}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        others: Vec<String>,
    },
    /// Several have it.
    #[error("{} campuses are named {name:?}; give the id of one: {}", .ids.len(), list(.ids))]
    Ambiguous {
        /// The name.
        name: String,
        /// Their ids.
        ids: Vec<Uuid>,
    },
    /// Postgres failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

fn list(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ")
}

/// An id where it is one, else a name.
impl FromStr for CampusReference {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let id = Uuid::parse_str(text).map(Self::Id);
        Ok(id.unwrap_or_else(|_| Self::Name(text.trim().to_owned())))
    }
}

impl CampusReference {
    /// The campus's id; the database is asked only about a name.
    pub async fn find(&self, client: &Client) -> Result<Uuid, CampusReferenceError> {
        let name = match self {
            Self::Id(id) => return Ok(*id),
            Self::Name(name) => name,
        };
        let campuses = client
            .query("SELECT id, name FROM campuses ORDER BY name, id", &[])
            .await
            .map_err(DatabaseError::during("look for the campus"))?;
        let of_name = campuses.iter().filter(|row| row.get::<_, &str>("name") == name);
        let ids: Vec<Uuid> = of_name.map(|row| row.get("id")).collect();
        let name = name.clone();
        match ids.as_slice() {
            [id] => Ok(*id),
            [] => {
                let others = campuses.iter().map(|row| row.get("name")).collect();
                Err(CampusReferenceError::Unknown { name, others })
            }
            _ => Err(CampusReferenceError::Ambiguous { name, ids }),
        }
    }
}
