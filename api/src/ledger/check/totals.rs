//! What must hold over the whole book: totals a mode, and nothing that belongs to nobody.

use super::rule::{Rule, Subject};

pub const RULES: &[Rule] = &[
    Rule { invariant: "book-zero", subject: Subject::Text, sql: BOOK_ZERO },
    Rule { invariant: "places-are-accounts", subject: Subject::Text, sql: PLACES_ARE_ACCOUNTS },
    Rule { invariant: "book-deltas", subject: Subject::Text, sql: BOOK_DELTAS },
    Rule { invariant: "owner-exists", subject: Subject::Text, sql: WITHOUT_OWNER },
];

// What customers have, by their accounts, against what we gave and took, by the journal.
const BOOK_ZERO: &str = "
SELECT x.mode AS id, 'customers and we together have ' || SUM(x.amount) AS detail
FROM (
    SELECT mode, credited - debited - debt AS amount FROM account
    UNION ALL
    SELECT mode, amount FROM entry WHERE place NOT IN ('available', 'held', 'debt')
) x
GROUP BY x.mode
HAVING SUM(x.amount) <> 0";

// Debt is what a customer owes, so in the journal its place is below zero.
const PLACES_ARE_ACCOUNTS: &str = "
SELECT x.mode || ' ' || x.place AS id, 'accounts minus journal ' || SUM(x.amount) AS detail
FROM (
    SELECT mode, 'available' AS place, credited - debited - held AS amount FROM account
    UNION ALL
    SELECT mode, 'held', held FROM account
    UNION ALL
    SELECT mode, 'debt', -debt FROM account
    UNION ALL
    SELECT mode, place, -amount FROM entry WHERE place IN ('available', 'held', 'debt')
) x
GROUP BY x.mode, x.place
HAVING SUM(x.amount) <> 0";

const BOOK_DELTAS: &str = "
SELECT x.mode || ' ' || x.place AS id, 'deltas minus journal ' || SUM(x.amount) AS detail
FROM (
    SELECT mode, place, amount FROM book_delta
    UNION ALL
    SELECT mode, place, -amount FROM entry WHERE place NOT IN ('available', 'held', 'debt')
) x
GROUP BY x.mode, x.place
HAVING SUM(x.amount) <> 0";

// The lane's tables have no foreign keys; this is what they would have refused.
const WITHOUT_OWNER: &str = r#"
SELECT x.part AS id, x.n || ' rows without an owner' AS detail
FROM (
    SELECT 'transfer' AS part, COUNT(*) AS n FROM transfer x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'grant', COUNT(*) FROM "grant" x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'hold', COUNT(*) FROM hold x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'task', COUNT(*) FROM task x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'job', COUNT(*) FROM job x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'adjustment', COUNT(*) FROM adjustment x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'api_key', COUNT(*) FROM api_key x WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = x.account_id)
    UNION ALL
    SELECT 'key_usage', COUNT(*) FROM key_usage x WHERE NOT EXISTS (SELECT 1 FROM api_key k WHERE k.id = x.key_id)
    UNION ALL
    SELECT 'task_metadata', COUNT(*) FROM task_metadata x WHERE NOT EXISTS (SELECT 1 FROM task t WHERE t.id = x.task_id AND t.account_id = x.account_id)
    UNION ALL
    SELECT 'hold_allocation', COUNT(*) FROM hold_allocation x WHERE NOT EXISTS (SELECT 1 FROM hold h WHERE h.task_id = x.task_id)
    UNION ALL
    SELECT 'attempt', COUNT(*) FROM attempt x WHERE NOT EXISTS (SELECT 1 FROM task t WHERE t.id = x.task_id)
    UNION ALL
    SELECT 'clip', COUNT(*) FROM clip x WHERE NOT EXISTS (SELECT 1 FROM task t WHERE t.id = x.task_id)
) x
WHERE x.n > 0"#;
