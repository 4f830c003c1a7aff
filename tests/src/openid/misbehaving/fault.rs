//! Everything that a provider can do wrong.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::Value;

use crate::openid::grants::put;
use crate::openid::keys::Key;

type Change<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// What goes wrong.
#[derive(Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// An ID token is not what it should be.
    IdToken(Change<Draft>),
    /// An ID token that comes with a refresh is not what it should be.
    Refreshed(Change<Draft>),
    /// The token endpoint's answer.
    Answer(Change<Value>),
    /// The claims of the userinfo endpoint.
    UserInfo(Change<Value>),
    /// The provider's metadata.
    Metadata(Change<Value>),
    /// The key set.
    Keys(Change<Value>),
    /// The parameters that a browser brings back; an array is a parameter several times.
    Redirect(Change<Value>),
    /// Everything at one path, such as `/token`.
    At(&'static str, Trouble),
    /// Everything at one path comes right, and so much later.
    Late(&'static str, Duration),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::IdToken(_) => "IdToken",
            Self::Refreshed(_) => "Refreshed",
            Self::Answer(_) => "Answer",
            Self::UserInfo(_) => "UserInfo",
            Self::Metadata(_) => "Metadata",
            Self::Keys(_) => "Keys",
            Self::Redirect(_) => "Redirect",
            Self::At(..) => "At",
            Self::Late(..) => "Late",
        })
    }
}

impl Fault {
    /// Changes ID tokens.
    pub fn id_token(change: impl Fn(&mut Draft) + Send + Sync + 'static) -> Self {
        Self::IdToken(Box::new(change))
    }

    /// Changes one claim of ID tokens; `null` takes it away.
    #[must_use]
    pub fn claim(name: &'static str, value: Value) -> Self {
        Self::id_token(move |draft| draft.claim(name, value.clone()))
    }

    /// Changes one claim of ID tokens that come with a refresh; `null` takes it away.
    #[must_use]
    pub fn refreshed(name: &'static str, value: Value) -> Self {
        Self::Refreshed(Box::new(move |draft| draft.claim(name, value.clone())))
    }

    /// Changes a member of the token endpoint's answer; `null` takes it away.
    #[must_use]
    pub fn answer_member(name: &'static str, value: Value) -> Self {
        Self::Answer(Box::new(move |answer| put(answer, name, value.clone())))
    }

    /// Changes a claim of the userinfo endpoint; `null` takes it away.
    #[must_use]
    pub fn user_info_member(name: &'static str, value: Value) -> Self {
        Self::UserInfo(Box::new(move |claims| put(claims, name, value.clone())))
    }

    /// Changes a member of the metadata; `null` takes it away.
    #[must_use]
    pub fn metadata_member(name: &'static str, value: Value) -> Self {
        Self::Metadata(Box::new(move |metadata| put(metadata, name, value.clone())))
    }

    /// Changes a parameter that a browser brings back; `null` takes it away.
    #[must_use]
    pub fn redirect_parameter(name: &'static str, value: Value) -> Self {
        Self::Redirect(Box::new(move |parameters| put(parameters, name, value.clone())))
    }

    /// Changes the list of keys.
    pub fn key_list(change: impl Fn(&mut Vec<Value>) + Send + Sync + 'static) -> Self {
        Self::Keys(Box::new(move |set| {
            if let Some(keys) = set.get_mut("keys").and_then(Value::as_array_mut) {
                change(keys);
            }
        }))
    }

    pub(super) fn id_token_of(&self, draft: &mut Draft, refreshes: bool) {
        match self {
            Self::IdToken(change) if !refreshes => change(draft),
            Self::Refreshed(change) if refreshes => change(draft),
            _ => {}
        }
    }

    pub(super) fn answer(&self, answer: &mut Value) {
        if let Self::Answer(change) = self {
            change(answer);
        }
    }

    pub(super) fn userinfo(&self, claims: &mut Value) {
        if let Self::UserInfo(change) = self {
            change(claims);
        }
    }

    pub(super) fn metadata(&self, metadata: &mut Value) {
        if let Self::Metadata(change) = self {
            change(metadata);
        }
    }

    pub(super) fn keys(&self, set: &mut Value) {
        if let Self::Keys(change) = self {
            change(set);
        }
    }

    pub(super) fn redirect(&self, parameters: &mut Value) {
        if let Self::Redirect(change) = self {
            change(parameters);
        }
    }

    pub(super) fn delay(&self, path: &str) -> Option<Duration> {
        match self {
            Self::Late(at, delay) if *at == path => Some(*delay),
            _ => None,
        }
    }

    pub(super) fn trouble(&self, path: &str) -> Option<Trouble> {
        match self {
            Self::At(at, trouble) if *at == path => Some(trouble.clone()),
            _ => None,
        }
    }
}

/// A token before it is signed.
#[derive(Debug)]
pub struct Draft {
    header: Value,
    claims: Value,
    key: Option<Key>,
    spoil: bool,
}

impl Draft {
    pub(super) fn new(header: Value, claims: Value) -> Self {
        Self {
            header,
            claims,
            key: None,
            spoil: false,
        }
    }

    /// Changes a member of the header; `null` takes it away.
    pub fn header(&mut self, name: &str, value: Value) {
        put(&mut self.header, name, value);
    }

    /// Changes a claim; `null` takes it away.
    pub fn claim(&mut self, name: &str, value: Value) {
        put(&mut self.claims, name, value);
    }

    /// It is signed with another key than the issuer's, and the header names that one's algorithm.
    pub fn signed_with(&mut self, key: Key) {
        self.header("alg", key.algorithm().into());
        self.key = Some(key);
    }

    /// It is not signed.
    pub fn unsigned(&mut self) {
        self.signed_with(Key::none());
    }

    /// A bit of the signature flips on the way.
    pub fn spoilt(&mut self) {
        self.spoil = true;
    }

    pub(super) fn signed(self, own: &Key) -> String {
        let token = self.key.as_ref().unwrap_or(own).sign(&self.header, &self.claims);
        match token.rsplit_once('.') {
            Some((text, signature)) if self.spoil => {
                let other = if signature.starts_with('A') { 'B' } else { 'A' };
                format!("{text}.{other}{}", signature.get(1..).unwrap_or_default())
            }
            _ => token,
        }
    }
}

/// What is wrong with a whole answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A status, and nothing else.
    Status(u16),
    /// Somewhere else, with this status.
    Redirect(u16, String),
    /// Something else, with its content type.
    Text(&'static str, String),
    /// More than anybody wants, of one character.
    Huge,
    /// A little that says it is a lot once it is unpacked.
    Bomb,
    /// One byte a second, for ever.
    Drip,
    /// Nothing, for ever.
    Silence,
}

impl Trouble {
    pub(super) fn answer(self) -> Response {
        match self {
            Self::Status(status) => StatusCode::from_u16(status).unwrap_or_default().into_response(),
            Self::Redirect(status, to) => {
                let status = StatusCode::from_u16(status).unwrap_or_default();
                (status, [(header::LOCATION, to)]).into_response()
            }
            Self::Text(kind, text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
            Self::Huge => {
                let some = Bytes::from(vec![b' '; 64 * 1024]);
                let all = futures::stream::iter((0..160).map(move |_| Ok::<_, std::io::Error>(some.clone())));
                ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(all)).into_response()
            }
            Self::Bomb => {
                let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
                packed.extend(miniz_oxide::deflate::compress_to_vec(&vec![b' '; 10 << 20], 6));
                packed.extend([0; 8]);
                let headers = [
                    (header::CONTENT_TYPE, "application/json"),
                    (header::CONTENT_ENCODING, "gzip"),
                ];
                (headers, packed).into_response()
            }
            Self::Drip => {
                let drops = futures::stream::unfold((), |()| async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
                });
                ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(drops)).into_response()
            }
            Self::Silence => {
                let nothing = futures::stream::pending::<Result<Bytes, std::io::Error>>();
                Body::from_stream(nothing).into_response()
            }
        }
    }
}
