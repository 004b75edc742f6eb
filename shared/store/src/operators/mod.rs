//! Who may use the console: operators, their sessions, links that let somebody in once, and how often somebody may try
//! (rule store-21).

mod account;
mod link;
mod login_attempt;
mod session;
mod token;

pub use account::{Operator, OperatorError};
pub use link::{INVITATION, LOGIN_LINK, Link};
pub use login_attempt::{LoginAttempt, Throttled};
pub use session::{
    IDLE, LOGIN_LINK_SESSION, LONGEST, NewSession, OperatorSession, Preferences, SessionLine,
};
pub use token::Token;
