//! What all requests share.

use std::net::IpAddr;

use database::Pool;
use public_port::TrustedProxies;

use crate::{
    config::ProxyLogin, cookie::SessionCookie, limits::MinuteLimit, origin::Origin,
    password::Passwords, sampler::Sampler,
};

/// Requests of one session within a minute; of an address where nobody has logged in.
const REQUESTS: u32 = 300;

/// Searches of a session within a minute that may have to read a day of the log.
const SLOW_SEARCHES: u32 = 10;

/// What all requests share.
pub(crate) struct Console {
    pub(crate) pool: Pool,
    pub(crate) origin: Origin,
    pub(crate) cookie: SessionCookie,
    pub(crate) proxies: TrustedProxies,
    pub(crate) proxy_login: Option<ProxyLogin>,
    pub(crate) passwords: Passwords,
    pub(crate) sampler: Sampler,
    /// By the hash of the session's token.
    pub(crate) requests: MinuteLimit<[u8; 32]>,
    pub(crate) strangers: MinuteLimit<IpAddr>,
    pub(crate) slow_searches: MinuteLimit<[u8; 32]>,
}

impl Console {
    pub(crate) fn new(
        pool: Pool,
        origin: Origin,
        passwords: Passwords,
        (proxies, proxy_login): (TrustedProxies, Option<ProxyLogin>),
    ) -> Self {
        Self {
            sampler: Sampler::new(pool.clone()),
            pool,
            cookie: SessionCookie::new(origin.is_encrypted),
            origin,
            proxies,
            proxy_login,
            passwords,
            requests: MinuteLimit::new(REQUESTS),
            strangers: MinuteLimit::new(REQUESTS),
            slow_searches: MinuteLimit::new(SLOW_SEARCHES),
        }
    }
}
