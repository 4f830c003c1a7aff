//! What do the resources in a folder of YAML say, and where is what is wrong with them?
//!
//! The flow: `folder` reads the files (`source`) and their documents (`yaml`), finds each object's kind (`kinds`), checks
//! it as the API server would (`validate`) and hands over `Resources`; `watch` does so again whenever the folder changes.
//! What an operator compiled is read by `shards`. Not here: what the resources mean together, which is `policy::compile`'s matter.

mod field;
pub mod folder;
mod kinds;
mod nearest;
mod scalar;
mod schema;
pub mod shards;
mod source;
pub mod validate;
pub mod watch;
mod yaml;

pub use folder::{Loaded, Located, Note, Positions, read};
