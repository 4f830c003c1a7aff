//! `tokenExchange` to whose tokens are exchanged.

use crds::{AuthProvider, Reason};

use crate::compile::scope::problem;
use crate::problem::Problem;
use crate::snapshot::{Method, TokenExchange};

/// Whose tokens are exchanged; `None`: nobody's.
pub(super) fn compile(resource: &AuthProvider, method: &Method) -> Result<Option<TokenExchange>, Problem> {
    let Some(exchange) = &resource.spec.token_exchange else {
        return Ok(None);
    };
    if !matches!(method, Method::Oidc(_)) {
        let message = "only tokens of OpenID providers are exchanged: leave it out beside this kind";
        return Err(problem(resource, "spec.tokenExchange", Reason::InvalidField, message));
    }
    Ok(Some(TokenExchange {
        audiences: exchange.audiences.clone(),
        clients: exchange.clients.clone(),
    }))
}
