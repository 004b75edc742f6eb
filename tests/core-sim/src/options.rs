//! What a simulation starts with, and what of it can be changed while it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dice::Dice;
use super::identity;

/// The password of every account unless told otherwise.
pub const DEFAULT_PASSWORD: &str = "core-sim";
/// The account that sees every church.
pub const SUPER_ADMIN_EMAIL: &str = "superadmin@core-sim.example";
/// The church of the recorded samples, which is the first one of [`Options::churches_of`].
pub const FIRST_CHURCH_ID: &str = "3880a17d-f858-4622-87c2-96eaa7b25c83";

/// What a simulation starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path before `/auth/login` and `/members/`.
    pub prefix: String,
    /// Everything random follows from it.
    pub seed: u64,
    /// The churches, each with one account and its members.
    pub churches: Vec<ChurchOptions>,
    /// Name the phone `phone`, as newer versions do, instead of `phone_whatsapp`.
    pub newer_phone_key: bool,
    /// Count the requests of each member apart; costs memory per member asked for.
    pub count_members: bool,
    /// Render every generated row at the start and keep it, which takes some 2 KB of memory each: for
    /// benches, where the core should not be what is measured.
    pub prebuilt: bool,
    /// A file in which what is changed is kept: a simulation that is started again on it has the same members.
    pub state: Option<PathBuf>,
    /// What can be changed later.
    pub settings: Settings,
}

/// One church.
#[derive(Clone, Debug)]
pub struct ChurchOptions {
    /// Id, as text.
    pub id: String,
    /// Name, as webhooks carry it.
    pub name: String,
    /// The account's address.
    pub email: String,
    /// The account's password.
    pub password: String,
    /// Generated members.
    pub members: u64,
}

impl Default for Options {
    /// Two churches with 25 members each, on a free loopback port.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            prefix: "/api".to_owned(),
            seed: 1,
            churches: Self::churches_of(1, 2, 25),
            newer_phone_key: false,
            count_members: true,
            prebuilt: false,
            state: None,
            settings: Settings::default(),
        }
    }
}

impl Options {
    /// Churches with the same number of members each; the first has the id of the recorded samples,
    /// the ids of the others follow from the seed.
    pub fn churches_of(seed: u64, churches: usize, members: u64) -> Vec<ChurchOptions> {
        const NAMES: [&str; 8] = [
            "GKBJ",
            "GKI Kebayoran",
            "HKBP Cempaka",
            "GMIM Sion",
            "GPM Maranatha",
            "GBKP Simpang",
            "GKJW Lawang",
            "GMIT Kaisarea",
        ];
        (0..churches)
            .map(|number| {
                let mut dice = Dice::new(&[seed, number as u64, u64::MAX]);
                let id = identity::random(&mut dice);
                let name = NAMES[number % NAMES.len()];
                let round = number / NAMES.len();
                ChurchOptions {
                    id: if number == 0 { FIRST_CHURCH_ID.to_owned() } else { id },
                    name: if round == 0 {
                        name.to_owned()
                    } else {
                        format!("{name} {}", round + 1)
                    },
                    email: if number == 0 {
                        "admin@gkbj.org".to_owned()
                    } else {
                        format!("admin{number}@core-sim.example")
                    },
                    password: DEFAULT_PASSWORD.to_owned(),
                    members,
                }
            })
            .collect()
    }
}

/// What can be changed while the simulation runs: `PUT /control/settings`, any part of it.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Shape of the member list.
    pub list_shape: ListShape,
    /// Lists leave out what newer versions leave out: `custom_fields`, `notes`, `documents`,
    /// `household_id`, `membership_date`, `city` and more come back null or empty there.
    pub projection: bool,
    /// Lists say this of every member, whatever it has: `{"participate_in_automation": true}`, as newer
    /// versions do.
    pub list_says: Map<String, Value>,
    /// Lists have the next row's value in these fields.
    pub list_mixes_up: Vec<String>,
    /// Every second page begins this many rows early: it repeats the end of the page before it, and
    /// misses as many rows at its own end. 0: pages fit together.
    pub page_shift: u64,
    /// A member that changes moves to the end of the list, so that a page boundary slides under a
    /// client that is paging.
    pub move_on_change: bool,
    /// A page never has more rows than this, whatever `limit` asks for.
    pub page_cap: Option<u64>,
    /// All answers come over a line of so many bytes a second; null: at once.
    pub line_bytes_per_second: Option<u64>,
    /// A super admin must name the church when logging in, as in newer versions, and sees that one.
    pub super_admin_names_church: bool,
    /// Logins a minute per address, failed ones included; null: no limit.
    pub login_limit: Option<u32>,
    /// The "minute" of the login limit, in milliseconds.
    pub login_window_ms: u64,
    /// Life of a token made from now on, in milliseconds.
    pub token_lifetime_ms: u64,
    /// What a normal account gets for another church's member: 404 or 403.
    pub foreign_member_status: u16,
    /// Creates, changes and deletes post webhooks.
    pub sender: bool,
    /// How long the first try of a webhook may take, in milliseconds.
    pub first_timeout_ms: u64,
    /// How long each later try may take, in milliseconds.
    pub retry_timeout_ms: u64,
    /// Wait before each later try, in milliseconds; after the last one the webhook is dropped.
    pub retry_delays_ms: Vec<u64>,
    /// The waits are multiplied by this: with 0.001 they pass a thousand times faster.
    pub time_scale: f64,
    /// Share of webhooks that is posted twice at the same time, from 0 to 1.
    pub duplicate_rate: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            list_shape: ListShape::Array,
            projection: false,
            list_says: Map::new(),
            list_mixes_up: Vec::new(),
            page_shift: 0,
            move_on_change: false,
            page_cap: None,
            line_bytes_per_second: None,
            super_admin_names_church: false,
            login_limit: Some(5),
            login_window_ms: 60_000,
            token_lifetime_ms: 24 * 60 * 60 * 1000,
            foreign_member_status: 404,
            sender: false,
            first_timeout_ms: 2000,
            retry_timeout_ms: 30_000,
            retry_delays_ms: vec![10_000, 60_000, 300_000],
            time_scale: 1.0,
            duplicate_rate: 0.0,
        }
    }
}

/// Shape of the member list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListShape {
    /// A bare array, as recorded.
    Array,
    /// `{"data":[…],"pagination":{"total","limit","offset","has_more"}}`.
    Pagination,
}
