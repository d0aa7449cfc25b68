//! `reel whoami`.

use super::Context;
use crate::failure::Failure;
use crate::output::{self, plain};

pub async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let key = client.get("/api/key", &[]).await?;
    if context.as_json() {
        return output::json(&key);
    }
    output::pairs(&[
        ("host", client.host().to_owned()),
        ("profile", context.settings.profile.value.clone()),
        ("name", plain(&key["name"])),
        ("key", plain(&key["prefix"])),
        ("mode", plain(&key["mode"])),
        ("scopes", plain(&key["scopes"])),
        ("models", plain(&key["models"])),
        ("expires", output::moment(&key["expiresAt"])),
        ("blocked by", plain(&key["blockedBy"])),
    ])
}
