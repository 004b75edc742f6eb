//! The state of a simulation, and everything that can be done to it from inside.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::church::{Church, Row};
use super::counters::{Counters, Endpoint, Meter};
use super::faults::{Fault, Faults};
use super::generator::Generator;
use super::identity;
use super::journal::Journal;
use super::line::Line;
use super::login::{Account, LoginLimit, Tokens};
use super::options::{DEFAULT_PASSWORD, Options, SUPER_ADMIN_EMAIL, Settings};
use super::sender::Sender;

/// A simulated core; `CoreSim` gives access to it.
#[derive(Debug)]
pub struct Core {
    pub(super) prefix: String,
    pub(super) seed: u64,
    pub(super) churches: Vec<Arc<Church>>,
    pub(super) accounts: Vec<Account>,
    pub(super) tokens: Tokens,
    pub(super) login_limit: LoginLimit,
    pub(super) faults: Faults,
    pub(super) meter: Meter,
    pub(super) line: Arc<Line>,
    pub(super) sender: Arc<Sender>,
    settings: Arc<RwLock<Arc<Settings>>>,
}

/// What went wrong with a control call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// There is no such church.
    #[error("there is no such church")]
    NoChurch,
    /// There is no such member, or it has been purged.
    #[error("there is no such member")]
    NoMember,
    /// There is a member of that id already.
    #[error("there is a member of that id already")]
    Exists,
}

impl Core {
    /// To be called within a tokio runtime; `stop` ends the sender.
    pub(super) fn new(options: &Options, stop: CancellationToken) -> Result<Self, reqwest::Error> {
        let churches = options.churches.iter().enumerate().map(|(number, church)| {
            let generator = Generator {
                seed: options.seed,
                church: number,
                church_id: church.id.clone(),
                phone_key: if options.newer_phone_key { "phone" } else { "phone_whatsapp" },
            };
            let (id, name) = (church.id.clone(), church.name.clone());
            Arc::new(Church::new(id, name, generator, church.members, options.prebuilt))
        });
        let super_admin = Account {
            user_id: "u0".to_owned(),
            email: SUPER_ADMIN_EMAIL.to_owned(),
            password: DEFAULT_PASSWORD.to_owned(),
            church: None,
        };
        let admins = options.churches.iter().enumerate().map(|(number, church)| Account {
            user_id: format!("u{}", number + 1),
            email: church.email.clone(),
            password: church.password.clone(),
            church: Some(number),
        });
        let church_ids = options.churches.iter().map(|church| church.id.clone());
        let settings = Arc::new(RwLock::new(Arc::new(options.settings.clone())));
        let sender = Sender::new(options.seed, Arc::clone(&settings), stop)?;
        Ok(Self {
            prefix: options.prefix.trim_end_matches('/').to_owned(),
            seed: options.seed,
            churches: churches.collect(),
            accounts: std::iter::once(super_admin).chain(admins).collect(),
            tokens: Tokens::default(),
            login_limit: LoginLimit::default(),
            faults: Faults::new(options.seed),
            meter: Meter::new(church_ids, options.count_members),
            line: Arc::default(),
            sender: Arc::new(sender),
            settings,
        })
    }

    /// Makes the changes that are kept in the file, and keeps those to come.
    pub(super) fn remember(&self, state: &Path) -> io::Result<()> {
        // Of a church that is not simulated this time nothing is known.
        let journal = Journal::open(state, |church, entry| {
            if let Ok(church) = self.church(church) {
                church.replay(entry);
            }
        })?;
        let journal = Arc::new(journal);
        for church in &self.churches {
            church.keep_changes(Arc::clone(&journal));
        }
        Ok(())
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes settings; in force with the next request.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut settings));
    }

    /// Switches a fault on, and answers its number.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.faults.add(fault)
    }

    /// Switches a fault off; false where there is none of that number.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.faults.remove(id)
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// The request counters.
    pub fn counters(&self) -> Counters {
        self.meter.read()
    }

    /// Requests that came in at an endpoint.
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.counters().requests(endpoint)
    }

    /// GETs of one member; needs [`Options::count_members`].
    pub fn member_requests(&self, member_id: &str) -> u64 {
        self.meter.member_requests(member_id)
    }

    /// Counts requests from 0 again.
    pub fn reset_counters(&self) {
        self.meter.reset();
    }

    /// Makes every token invalid.
    pub fn revoke_tokens(&self) {
        self.tokens.revoke_all();
    }

    /// Forgets the logins that the limit counts.
    pub fn forget_logins(&self) {
        self.login_limit.forget();
    }

    // For the endpoints and the other parts

    pub(super) fn church(&self, church_id: &str) -> Result<&Arc<Church>, CoreError> {
        self.churches.iter().find(|church| church.id == church_id).ok_or(CoreError::NoChurch)
    }

    /// The church that has the member, deleted or not.
    pub(super) fn church_of_member(&self, member_id: &str) -> Option<&Arc<Church>> {
        // An id made here names its church; only foreign ones are looked for everywhere.
        let named = identity::decode(self.seed, member_id)
            .and_then(|(church, _)| self.churches.get(church))
            .filter(|church| church.has(member_id));
        named.or_else(|| self.churches.iter().find(|church| church.has(member_id)))
    }

    /// A list page of one church or, for a super admin, of all in turn.
    pub(super) fn page(
        &self,
        church: Option<usize>,
        is_active: Option<bool>,
        mut skip: u64,
        limit: usize,
    ) -> Vec<Row> {
        let mut page = Vec::new();
        for church in self.visible(church) {
            church.page(is_active, &mut skip, limit, &mut page);
            if page.len() >= limit {
                break;
            }
        }
        page
    }

    /// The same for one church without a copy, where its rows were rendered ahead.
    pub(super) fn prebuilt_page(
        &self,
        church: Option<usize>,
        skip: u64,
        limit: u64,
    ) -> Option<Bytes> {
        self.churches.get(church?)?.prebuilt_page(skip, limit)
    }

    /// How long the list of one church, or of all, is.
    pub(super) fn total(&self, church: Option<usize>, is_active: Option<bool>) -> u64 {
        self.visible(church).iter().map(|church| church.listed(is_active)).sum()
    }

    fn visible(&self, church: Option<usize>) -> &[Arc<Church>] {
        match church {
            Some(number) => self.churches.get(number..=number).unwrap_or_default(),
            None => &self.churches,
        }
    }
}
