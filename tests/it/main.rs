//! The stories: what people, programs, operators and attackers meet, told with the real program.

#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod forward_auth;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod tokens;
