//! `reel balance`.

use super::Context;
use crate::failure::Failure;
use crate::output::{self, cell, moment};

pub async fn run(context: &Context) -> Result<(), Failure> {
    let balance = context.client()?.get("/api/ai/credits", &[]).await?;
    if context.as_json() {
        return output::json(&balance);
    }
    let debt = if balance["debt"].as_f64() == Some(0.0) { String::new() } else { cell(&balance["debt"]) };
    let ends = balance["expiring"].as_array().into_iter().flatten();
    let ends = ends.map(|part| format!("{} on {}", cell(&part["amount"]), moment(&part["expiresAt"])));
    output::pairs(&[
        ("available", cell(&balance["available"])),
        ("held", cell(&balance["held"])),
        ("posted", cell(&balance["total"])),
        ("debt", debt),
        ("expiring", ends.collect::<Vec<_>>().join(", ")),
        ("mode", cell(&balance["mode"])),
        ("as of", moment(&balance["asOf"])),
    ])
}
