//! The socket of the public port: passed by whoever started the gateway, or bound by it (rule gateway-13).

use std::net::{SocketAddr, TcpListener as BlockingListener};

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use runtime::{SettingError, Settings, Variable, variables};
use tokio::net::TcpListener;

/// How systemd says how many sockets it has passed. No setting: nobody writes it down.
const LISTEN_FDS: Variable =
    Variable { name: "LISTEN_FDS", default: None, help: "sockets that systemd has passed" };

/// Where the socket comes from.
pub(crate) enum SocketSource {
    /// The gateway binds this address.
    Address(SocketAddr),
    /// It was passed, listening already.
    Passed(BlockingListener),
}

/// The socket of the public port.
pub(crate) struct PublicSocket {
    pub(crate) listener: TcpListener,
    /// Whoever passed it keeps it open: connections that this gateway does not accept wait for the next one. One that the
    /// gateway bound is closed with it.
    pub(crate) is_passed: bool,
}

impl SocketSource {
    /// The passed socket, or the address that is set. Takes `LISTEN_FDS` out of the environment, so it must be called
    /// before there are threads.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        Ok(match passed()? {
            Some(listener) => Self::Passed(listener),
            None => Self::Address(settings.address(variables::GATEWAY_LISTEN)?),
        })
    }

    /// The socket, listening; within the runtime.
    pub(crate) fn open(&self) -> Result<PublicSocket, SettingError> {
        match self {
            Self::Address(address) => {
                let listener = runtime::bind(variables::GATEWAY_LISTEN, *address)?;
                Ok(PublicSocket { listener, is_passed: false })
            }
            Self::Passed(listener) => {
                let listener = listener.try_clone().and_then(TcpListener::from_std);
                let listener = listener.map_err(|error| unusable(&error))?;
                Ok(PublicSocket { listener, is_passed: true })
            }
        }
    }
}

fn passed() -> Result<Option<BlockingListener>, SettingError> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        return Err(unusable(&format!("{} sockets are passed", sockets.len())));
    }
    let Some(listener) = sockets.take_tcp_listener(0).map_err(|error| unusable(&error))? else {
        return Ok(None);
    };
    if !getsockopt(&listener, AcceptConn).map_err(|error| unusable(&error))? {
        return Err(unusable(&"the socket that is passed does not listen"));
    }
    listener.set_nonblocking(true).map_err(|error| unusable(&error))?;
    Ok(Some(listener))
}

fn unusable(problem: &dyn ToString) -> SettingError {
    SettingError::new(LISTEN_FDS, problem.to_string(), "one listening TCP socket")
}
