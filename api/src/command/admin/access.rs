//! `admin access`: who asks to be let in.

use std::fmt::Write;

use crate::command::Answer;
use crate::command::desk::Desk;
use crate::customer::access;

pub async fn list(desk: &Desk) -> anyhow::Result<Answer> {
    let wishes = access::list(desk.db.read()).await?;
    let mut text = String::new();
    for wish in &wishes {
        let state = if wish.answered_at.is_some() { "answered" } else { "waiting" };
        let customer = wish.customer_id.map(|id| id.to_string()).unwrap_or_else(|| "-".to_owned());
        writeln!(text, "{}  {state:8}  {}  {customer}  {}", wish.created_at, wish.email, wish.note)?;
    }
    let waiting = wishes.iter().filter(|wish| wish.answered_at.is_none()).count();
    writeln!(text, "{waiting} of {} waiting", wishes.len())?;
    Ok(Answer::good(text))
}
