//! The stories: what people, programs, operators and attackers meet, told with the real program.

#![expect(
    clippy::too_many_lines,
    reason = "a story is told in one piece, and a table is one table"
)]

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod applications;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod assertions;
#[cfg(test)]
mod availability;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod forward_auth;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod identity_names;
#[cfg(test)]
mod images;
#[cfg(test)]
mod import;
#[cfg(test)]
mod ingresses;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod ldap;
#[cfg(test)]
mod long_connections;
#[cfg(test)]
mod open_redirects;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod openid;
#[cfg(test)]
mod operator_faults;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod raw_bytes;
#[cfg(test)]
mod reachable;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod refused_folders;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod specs;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trailers;
#[cfg(test)]
mod trusted_proxies;
