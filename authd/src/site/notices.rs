//! Pages that say one thing: signed out, denied, pending, not found.

use axum::response::{IntoResponse, Redirect, Response};

use super::posted::Asked;
use super::visitor::{Visitor, origins};
use crate::pages::csrf::Purpose;
use crate::pages::{Denied, NotFound, Page, Pending, SignedOut};

/// `GET /signed-out`.
pub async fn signed_out(visitor: Visitor) -> Response {
    SignedOut {
        site: &visitor.serving.site,
        elsewhere: None,
    }
    .respond()
}

/// `GET /denied`: for somebody who is signed in and may not go where they wanted.
pub async fn denied(visitor: Visitor, asked: Asked) -> Response {
    let Some(session) = &visitor.session else {
        return Redirect::to("/login").into_response();
    };
    let return_to = visitor.return_to(asked.address());
    let url = return_to.as_deref().and_then(|address| url::Url::parse(address).ok());
    let host = url.as_ref().and_then(url::Url::host_str);
    let form_origins = origins(visitor.serving.settings().sign_out_redirect.as_deref());
    let page = Denied {
        site: &visitor.serving.site,
        email: &session.signed_in.user.email,
        host,
        csrf: &visitor.form_token(Purpose::SignOut(session.claims.session)),
        return_to: return_to.as_deref(),
        form_origins: &form_origins,
    };
    visitor.with_visit(page.respond())
}

/// `GET /pending`: for somebody whose account waits for an administrator.
pub async fn pending(visitor: Visitor, asked: Asked) -> Response {
    let Some(session) = &visitor.session else {
        return Redirect::to("/login").into_response();
    };
    if !session.signed_in.caller.principal.is_pending() {
        let return_to = visitor.return_to(asked.address());
        return Redirect::to(return_to.as_deref().unwrap_or("/account")).into_response();
    }
    let settings = visitor.serving.settings();
    let form_origins = origins(settings.sign_out_redirect.as_deref());
    let page = Pending {
        site: &visitor.serving.site,
        email: &session.signed_in.user.email,
        contact: settings.admin_contact.as_ref().map(|(_, email)| email.as_str()),
        csrf: &visitor.form_token(Purpose::SignOut(session.claims.session)),
        form_origins: &form_origins,
    };
    visitor.with_visit(page.respond())
}

/// Where there is no page.
pub async fn not_found(visitor: Visitor) -> Response {
    NotFound {
        site: &visitor.serving.site,
    }
    .respond()
}
