#![doc = include_str!("../README.md")]

mod tls;
mod trusted_proxies;

pub use tls::Tls;
pub use trusted_proxies::TrustedProxies;
