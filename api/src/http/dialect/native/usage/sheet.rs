//! Usage as a spreadsheet reads it: comma-separated values (RFC 4180).

use std::collections::BTreeSet;

use super::{date, seconds};
use crate::ledger::usage::{Group, Row, Sums};

const SUM_COLUMNS: [&str; 9] =
    ["credits", "held", "released", "refunded", "tasks", "completed", "failed", "canceled", "seconds"];

/// The rows below the names of their columns: those of the groups, then the sums.
pub fn text(groups: &BTreeSet<Group>, rows: &[Row]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = groups.iter().flat_map(|group| match group {
        Group::Key => &["keyId", "keyName"][..],
        Group::Day => &["day"],
        Group::Model => &["model"],
        Group::Mode => &["mode"],
    });
    writer.write_record(names.chain(&SUM_COLUMNS))?;
    for row in rows {
        writer
            .write_record(groups.iter().flat_map(|group| cells(*group, row)).chain(sum_cells(&row.sums)))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn cells(group: Group, row: &Row) -> Vec<String> {
    match group {
        Group::Day => vec![row.day.map(date).unwrap_or_default()],
        Group::Model => vec![row.model.clone().unwrap_or_default()],
        Group::Key => {
            let id = row.key.map(|key| key.to_string()).unwrap_or_default();
            vec![id, harmless(row.key_name.clone().unwrap_or_default())]
        }
        Group::Mode => vec![row.mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default()],
    }
}

fn sum_cells(sums: &Sums) -> [String; 9] {
    let amounts = [sums.credits(), sums.held, sums.released, sums.refunded].map(|amount| amount.to_string());
    let counts = [sums.tasks, sums.completed, sums.failed, sums.canceled].map(|count| count.to_string());
    let [credits, held, released, refunded] = amounts;
    let [tasks, completed, failed, canceled] = counts;
    [credits, held, released, refunded, tasks, completed, failed, canceled, seconds(sums).to_string()]
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use entity::{Credits, KeyId, Timestamp};

    use super::*;

    #[test]
    fn a_name_in_a_spreadsheet_is_never_a_formula() {
        let sums =
            Sums { captured: Credits::from_thousandths(12_500), millis: 5_040, tasks: 1, ..Sums::default() };
        let row = |name: &str| Row {
            day: Some(Timestamp::from_seconds(1_795_737_600)),
            model: None,
            key: Some(KeyId(uuid::Uuid::nil())),
            key_name: Some(name.to_owned()),
            mode: None,
            sums,
        };
        let rows = ["=1+1", "@x", "a, \"b\"\nc", "plain"].map(row);
        let written = text(&BTreeSet::from([Group::Day, Group::Key]), &rows).unwrap();
        let expected = "day,keyId,keyName,credits,held,released,refunded,tasks,completed,failed,canceled,seconds\n\
            2026-11-27,key_00000000000000000000000000,'=1+1,12.5,0,0,0,1,0,0,0,5.04\n\
            2026-11-27,key_00000000000000000000000000,'@x,12.5,0,0,0,1,0,0,0,5.04\n\
            2026-11-27,key_00000000000000000000000000,\"a, \"\"b\"\"\nc\",12.5,0,0,0,1,0,0,0,5.04\n\
            2026-11-27,key_00000000000000000000000000,plain,12.5,0,0,0,1,0,0,0,5.04\n";
        assert_eq!(written, expected);
    }
}
