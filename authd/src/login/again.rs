//! Signing in once more although there is a session, because a rule asks for a more recent or a stronger sign-in.

use policy::snapshot::Method;
use url::form_urlencoded::{Serializer, Target};

/// How somebody who is signed in has to sign in once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// The classes of which the sign-in has to be one (`acr`); none: any will do.
    pub acr: Vec<String>,
}

impl Again {
    /// Whether it can be done there.
    #[must_use]
    pub fn is_possible(&self, method: &Method) -> bool {
        method.asks_again() && (self.acr.is_empty() || method.puts_in_classes())
    }

    /// Says it in a query, in the words of OpenID Connect.
    pub fn say<T: Target>(&self, query: &mut Serializer<'_, T>) {
        query.append_pair("prompt", "login");
        if !self.acr.is_empty() {
            query.append_pair("acr_values", &self.acr.join(" "));
        }
    }
}
