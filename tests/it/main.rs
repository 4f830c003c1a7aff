//! The stories: what people, programs, operators and attackers meet, told with the real program.

#[cfg(test)]
mod forward_auth;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod tokens;
