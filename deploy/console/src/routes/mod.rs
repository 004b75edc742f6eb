//! Every route, with who gets there. There is no other way to a screen: whatever is not in the table is not found.

mod account;
mod link;
mod login;
mod overview;
mod search;
mod status_sign;

use std::sync::Arc;

use axum::{
    Router,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, MethodRouter, any, on},
};

use crate::{
    assets,
    console::Console,
    failure::Failure,
    guard,
    rights::{Access, Permission},
};

/// A route, and who gets there.
#[derive(Debug, Clone)]
pub struct Route {
    /// GET is HEAD too.
    pub method: Method,
    /// With the names of its variable parts in braces.
    pub path: &'static str,
    /// Who gets there.
    pub access: Access,
}

/// Declares them; a line is all that makes a screen reachable.
macro_rules! routes {
    ($($method:ident $path:literal $access:expr => $handler:path;)*) => {
        /// Every route.
        pub const ROUTES: &[Route] =
            &[$(Route { method: Method::$method, path: $path, access: $access },)*];

        fn screens(console: &Arc<Console>) -> Router {
            let router = Router::new();
            $(
                let guard = from_fn_with_state((Arc::clone(console), $access), guard::enter);
                let router = router.route($path, on(MethodFilter::$method, $handler).layer(guard));
            )*
            router
        }
    };
}

routes! {
    GET  "/"                      Access::Needs(Permission::Overview)   => overview::show;
    GET  "/search"                Access::Needs(Permission::Deliveries) => search::show;
    GET  "/account"               Access::Needs(Permission::Account)    => account::show;
    POST "/account/preferences"   Access::Needs(Permission::Account)    => account::prefer;
    POST "/account/password"      Access::Needs(Permission::Account)    => account::set_password;
    POST "/account/sessions"      Access::Needs(Permission::Account)    => account::end_others;
    POST "/logout"                Access::Needs(Permission::Account)    => login::log_out;
    GET  "/login"                 Access::Anyone                        => login::show;
    POST "/login"                 Access::Anyone                        => login::log_in;
    GET  "/link/{token}"          Access::Anyone                        => link::show;
    POST "/link/{token}"          Access::Anyone                        => link::take;
    GET  "/assets/{hash}/{file}"  Access::File                          => assets::show;
}

/// Whatever is not in the table, in the frame of whoever asks.
fn nowhere(console: &Arc<Console>) -> MethodRouter {
    let guard = from_fn_with_state((Arc::clone(console), Access::Anyone), guard::enter);
    any(async || Failure::NotFound).layer(guard)
}

/// Answers every request.
pub(crate) fn router(console: &Arc<Console>) -> Router {
    screens(console)
        .fallback_service(nowhere(console))
        .layer(from_fn_with_state(Arc::clone(console), guard::receive))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_anywhere_without_a_session_but_to_what_lets_in() {
        let open = ROUTES.iter().filter(|route| !matches!(route.access, Access::Needs(_)));
        let open: Vec<_> = open.map(|route| route.path).collect();
        let expected =
            ["/login", "/login", "/link/{token}", "/link/{token}", "/assets/{hash}/{file}"];
        assert_eq!(open, expected);
    }
}
