//! Several replicas over one PostgreSQL and one Redis, behind nginx: whatever is taken away, every answer is one that was promised, and nothing that
//! was acknowledged is lost or undone.

mod clocks;
mod costs;
mod database;
mod fleet;
mod load;
mod outages;
mod promises;
mod replaced;
