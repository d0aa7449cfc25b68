//! What a process says at its start about what it has to do without.

use crate::config::Config;

/// Processes that share a database but no Redis work, and never sell the same credit twice, but do some things less well.
pub fn warn(config: &Config) {
    if config.is_postgres() && config.redis_url.is_none() {
        tracing::warn!(
            "REELMETER_REDIS_URL is not set: processes over this database find each other's tasks and news within a second \
             instead of at once, each of them counts rate limits and failed sign-ins for itself, and sessions are looked up \
             in the database"
        );
    }
}
