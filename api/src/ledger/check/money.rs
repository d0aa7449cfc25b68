//! What must hold between accounts, grants, holds, key usage and the journal.

use super::rule::{Rule, Subject};

pub const RULES: &[Rule] = &[
    Rule { invariant: "held-is-open-holds", subject: Subject::Account, sql: HELD_IS_OPEN_HOLDS },
    Rule { invariant: "account-is-grants", subject: Subject::Account, sql: ACCOUNT_IS_GRANTS },
    Rule { invariant: "debt-beside-credit", subject: Subject::Account, sql: DEBT_BESIDE_CREDIT },
    Rule { invariant: "grant-sums", subject: Subject::Grant, sql: GRANT_SUMS },
    Rule { invariant: "grant-held", subject: Subject::Grant, sql: GRANT_HELD },
    Rule { invariant: "grant-consumed", subject: Subject::Grant, sql: GRANT_CONSUMED },
    Rule { invariant: "grant-journal", subject: Subject::Grant, sql: GRANT_JOURNAL },
    Rule { invariant: "hold-allocations", subject: Subject::Task, sql: HOLD_ALLOCATIONS },
    Rule { invariant: "hold-sums", subject: Subject::Task, sql: HOLD_SUMS },
    Rule { invariant: "hold-journal", subject: Subject::Task, sql: HOLD_JOURNAL },
    Rule { invariant: "transfer-places", subject: Subject::Account, sql: TRANSFER_PLACES },
    Rule { invariant: "adjustment-journal", subject: Subject::Account, sql: ADJUSTMENT_JOURNAL },
    Rule { invariant: "alert-thresholds", subject: Subject::Account, sql: ALERT_THRESHOLDS },
    Rule { invariant: "alert-state", subject: Subject::Account, sql: ALERT_STATE },
    Rule { invariant: "key-usage", subject: Subject::Key, sql: KEY_USAGE },
];

const HELD_IS_OPEN_HOLDS: &str = "
SELECT a.id, 'held ' || a.held || ', open holds ' || COALESCE(SUM(h.amount), 0) AS detail
FROM scope a LEFT JOIN hold h ON h.account_id = a.id AND h.state = 'open'
GROUP BY a.id, a.held
HAVING a.held <> COALESCE(SUM(h.amount), 0)";

const ACCOUNT_IS_GRANTS: &str = r#"
SELECT a.id, 'available ' || (a.credited - a.debited - a.held) || ', left in grants ' || COALESCE(SUM(g.remaining), 0)
    || '; held ' || a.held || ', held in grants ' || COALESCE(SUM(g.held), 0) AS detail
FROM scope a LEFT JOIN "grant" g ON g.account_id = a.id
GROUP BY a.id, a.credited, a.debited, a.held
HAVING a.credited - a.debited - a.held <> COALESCE(SUM(g.remaining), 0) OR a.held <> COALESCE(SUM(g.held), 0)"#;

const DEBT_BESIDE_CREDIT: &str = "
SELECT id, 'debt ' || debt || ', available ' || (credited - debited - held) AS detail
FROM scope WHERE debt > 0 AND credited - debited - held > 0";

const GRANT_SUMS: &str = r#"
SELECT g.id, 'original ' || g.original || ', remaining ' || g.remaining || ', held ' || g.held
    || ', consumed ' || g.consumed || ', expired ' || g.expired || ', voided ' || g.voided AS detail
FROM scope a JOIN "grant" g ON g.account_id = a.id
WHERE g.original <> g.remaining + g.held + g.consumed + g.expired + g.voided
    OR g.remaining < 0 OR g.held < 0 OR g.consumed < 0 OR g.expired < 0 OR g.voided < 0
    OR g.closed_at IS NOT NULL AND (g.remaining <> 0 OR g.held <> 0)"#;

const GRANT_HELD: &str = r#"
SELECT g.id, 'held ' || g.held || ', open allocations '
    || COALESCE(SUM(CASE WHEN h.state = 'open' THEN p.amount END), 0) AS detail
FROM scope a JOIN "grant" g ON g.account_id = a.id
    LEFT JOIN hold_allocation p ON p.grant_id = g.id LEFT JOIN hold h ON h.task_id = p.task_id
GROUP BY g.id, g.held
HAVING g.held <> COALESCE(SUM(CASE WHEN h.state = 'open' THEN p.amount END), 0)"#;

// A refund goes back into its grant, or, when that is over, into a new one: then what was consumed stays consumed.
const GRANT_CONSUMED: &str = r#"
SELECT g.id, 'consumed ' || g.consumed || ', captured ' || COALESCE(SUM(p.captured), 0)
    || ', refunded ' || COALESCE(SUM(p.refunded), 0) AS detail
FROM scope a JOIN "grant" g ON g.account_id = a.id LEFT JOIN hold_allocation p ON p.grant_id = g.id
GROUP BY g.id, g.consumed
HAVING g.consumed > COALESCE(SUM(p.captured), 0)
    OR g.consumed < COALESCE(SUM(p.captured - p.refunded), 0)"#;

// One transfer gave a grant, but for those that a refund opened; one more each time that some of it expired. Grants count up,
// the journal counts down.
const GRANT_JOURNAL: &str = r#"
SELECT x.id, 'grant minus journal: given ' || SUM(x.given) || ', expired ' || SUM(x.expired) AS detail
FROM (
    SELECT g.account_id, g.id, CASE WHEN g.source LIKE 'refund:%' THEN 0 ELSE g.original END AS given, g.expired
    FROM scope a JOIN "grant" g ON g.account_id = a.id
    UNION ALL
    SELECT t.account_id, t.grant_id, CASE t.kind WHEN 'expire' THEN 0 ELSE -t.amount END,
        CASE t.kind WHEN 'expire' THEN -t.amount ELSE 0 END
    FROM scope a JOIN transfer t ON t.account_id = a.id WHERE t.grant_id IS NOT NULL
) x
GROUP BY x.account_id, x.id
HAVING SUM(x.given) <> 0 OR SUM(x.expired) <> 0"#;

const HOLD_ALLOCATIONS: &str = "
SELECT h.task_id AS id, 'held ' || h.amount || ', captured ' || h.captured || ', released ' || h.released
    || ', refunded ' || h.refunded || '; in allocations ' || COALESCE(SUM(p.amount), 0) || ', '
    || COALESCE(SUM(p.captured), 0) || ', ' || COALESCE(SUM(p.returned), 0) || ', '
    || COALESCE(SUM(p.refunded), 0) AS detail
FROM scope a JOIN hold h ON h.account_id = a.id LEFT JOIN hold_allocation p ON p.task_id = h.task_id
GROUP BY h.task_id, h.amount, h.captured, h.released, h.refunded
HAVING h.amount <> COALESCE(SUM(p.amount), 0) OR h.captured <> COALESCE(SUM(p.captured), 0)
    OR h.released <> COALESCE(SUM(p.returned), 0) OR h.refunded <> COALESCE(SUM(p.refunded), 0)";

const HOLD_SUMS: &str = "
SELECT h.task_id AS id, h.state || ', amount ' || h.amount || ', captured ' || h.captured
    || ', released ' || h.released || ', refunded ' || h.refunded AS detail
FROM scope a JOIN hold h ON h.account_id = a.id
WHERE h.captured < 0 OR h.released < 0 OR h.refunded < 0 OR h.refunded > h.captured
    OR h.captured + h.released <> CASE h.state WHEN 'settled' THEN h.amount ELSE 0 END";

// Holds count up, the journal counts down: what is left over is missing, doubled or of the wrong size. An amount of 0 has
// no transfer.
const HOLD_JOURNAL: &str = "
SELECT x.task_id AS id, 'hold minus journal: held ' || SUM(x.amount) || ', captured ' || SUM(x.captured)
    || ', released ' || SUM(x.released) || ', refunded ' || SUM(x.refunded)
    || ', transfers ' || SUM(x.transfers) AS detail
FROM (
    SELECT h.account_id, h.task_id, h.amount, h.captured, h.released, h.refunded,
        1 + CASE WHEN h.captured > 0 THEN 1 ELSE 0 END + CASE WHEN h.released > 0 THEN 1 ELSE 0 END AS transfers
    FROM scope a JOIN hold h ON h.account_id = a.id
    UNION ALL
    SELECT t.account_id, t.task_id,
        CASE t.kind WHEN 'hold' THEN -t.amount ELSE 0 END, CASE t.kind WHEN 'capture' THEN -t.amount ELSE 0 END,
        CASE t.kind WHEN 'release' THEN -t.amount ELSE 0 END, CASE t.kind WHEN 'refund' THEN -t.amount ELSE 0 END,
        CASE t.kind WHEN 'refund' THEN 0 ELSE -1 END
    FROM scope a JOIN transfer t ON t.account_id = a.id
    WHERE t.kind IN ('hold', 'capture', 'release', 'refund')
) x
GROUP BY x.account_id, x.task_id
HAVING SUM(x.amount) <> 0 OR SUM(x.captured) <> 0 OR SUM(x.released) <> 0 OR SUM(x.refunded) <> 0
    OR SUM(x.transfers) <> 0";

const TRANSFER_PLACES: &str = "
SELECT t.account_id AS id, 'transfer ' || t.seq || ', a ' || t.kind || ', goes from ' || t.debit || ' to '
    || t.credit AS detail
FROM scope a JOIN transfer t ON t.account_id = a.id
WHERE NOT CASE t.kind
    WHEN 'grant' THEN t.debit IN ('purchases', 'promotions', 'adjustments') AND t.credit = 'available'
    WHEN 'hold' THEN t.debit = 'available' AND t.credit = 'held'
    WHEN 'capture' THEN t.debit = 'held' AND t.credit = 'revenue'
    WHEN 'release' THEN t.debit = 'held' AND t.credit = 'available'
    WHEN 'refund' THEN t.debit = 'revenue' AND t.credit = 'available'
    WHEN 'expire' THEN t.debit = 'available' AND t.credit = 'expired'
    WHEN 'adjust' THEN t.debit = 'available' AND t.credit = 'adjustments'
        OR t.debit = 'adjustments' AND t.credit = 'available'
    WHEN 'debt' THEN t.debit = 'debt' AND t.credit = 'adjustments'
    ELSE t.debit = 'available' AND t.credit = 'debt' END";

// One that takes away is an adjust, a debt or both under the same reference.
const ADJUSTMENT_JOURNAL: &str = "
SELECT x.account_id AS id, x.reference || ': adjustment minus journal ' || SUM(x.amount) AS detail
FROM (
    SELECT j.account_id, j.reference, j.amount FROM scope a JOIN adjustment j ON j.account_id = a.id
    UNION ALL
    SELECT t.account_id, COALESCE(t.reference, 'no reference'),
        CASE t.credit WHEN 'adjustments' THEN t.amount ELSE -t.amount END
    FROM scope a JOIN transfer t ON t.account_id = a.id WHERE t.kind IN ('adjust', 'debt')
) x
GROUP BY x.account_id, x.reference
HAVING SUM(x.amount) <> 0";

const ALERT_THRESHOLDS: &str = "
SELECT id, alert_state || ', low ' || COALESCE(CAST(alert_low AS text), 'none')
    || ', recover ' || COALESCE(CAST(alert_recover AS text), 'none') AS detail
FROM scope
WHERE (alert_low IS NULL) <> (alert_recover IS NULL) OR alert_recover < alert_low
    OR alert_low IS NULL AND alert_state <> 'ok'";

// Told too little. Not too much: credits whose time is over may have been left out of account before they expired.
const ALERT_STATE: &str = "
SELECT id, alert_state || ', available ' || (credited - debited - held) || ', low ' || alert_low
    || ', recover ' || alert_recover AS detail
FROM scope
WHERE credited - debited - held < alert_recover
    AND (alert_state = 'ok' AND credited - debited - held < alert_low
        OR alert_state <> 'depleted' AND credited - debited - held < 1000)";

// Days are UTC days of 86,400,000,000 microseconds.
const KEY_USAGE: &str = "
SELECT x.key_id AS id, x.win || ' from ' || x.starts_at || ', usage minus holds: used ' || SUM(x.used)
    || ', open ' || SUM(x.open) || ', open tasks ' || SUM(x.open_tasks) AS detail
FROM (
    SELECT u.key_id, u.win, u.starts_at, u.used, u.open, u.open_tasks
    FROM scope a JOIN api_key k ON k.account_id = a.id JOIN key_usage u ON u.key_id = k.id
    UNION ALL
    SELECT h.key_id, w.win, CASE w.win WHEN 'day' THEN h.accepted_at / 86400000000 * 86400000000 ELSE 0 END,
        h.refunded - h.captured, CASE h.state WHEN 'open' THEN -h.amount ELSE 0 END,
        CASE h.state WHEN 'open' THEN -1 ELSE 0 END
    FROM scope a JOIN hold h ON h.account_id = a.id
        CROSS JOIN (SELECT 'day' AS win UNION ALL SELECT 'lifetime') w
    WHERE h.key_id IS NOT NULL
) x
GROUP BY x.key_id, x.win, x.starts_at
HAVING SUM(x.used) <> 0 OR SUM(x.open) <> 0 OR SUM(x.open_tasks) <> 0";
