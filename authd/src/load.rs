//! What do the resources in a folder of YAML say, and where is what is wrong with them?
//!
//! The flow: [`folder`] reads the files ([`source`]) and their documents ([`yaml`]), finds each object's kind ([`kinds`]), checks
//! it as the API server would ([`validate`]) and hands over `Resources`; [`watch`] does so again whenever the folder changes. Not
//! here: what the resources mean together, which is `policy::compile`'s matter.

mod field;
mod nearest;
mod scalar;
mod schema;
mod validate;
mod yaml;
