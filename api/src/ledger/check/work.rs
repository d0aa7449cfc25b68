//! What must hold between tasks, their holds, jobs, attempts and clips.

use super::rule::{Rule, Subject};

pub const RULES: &[Rule] = &[
    Rule { invariant: "hold-and-task", subject: Subject::Task, sql: HOLD_AND_TASK },
    Rule { invariant: "settled-when-terminal", subject: Subject::Task, sql: SETTLED_WHEN_TERMINAL },
    Rule { invariant: "charged-for-nothing", subject: Subject::Task, sql: CHARGED_FOR_NOTHING },
    Rule { invariant: "live-has-job", subject: Subject::Task, sql: LIVE_HAS_JOB },
    Rule { invariant: "running-is-accepted", subject: Subject::Task, sql: RUNNING_IS_ACCEPTED },
    Rule { invariant: "one-live-submission", subject: Subject::Task, sql: ONE_LIVE_SUBMISSION },
    Rule { invariant: "clips-complete", subject: Subject::Task, sql: CLIPS_COMPLETE },
    Rule { invariant: "one-mode", subject: Subject::Account, sql: ONE_MODE_OF_MONEY },
    Rule { invariant: "one-mode", subject: Subject::Task, sql: ONE_MODE_OF_WORK },
    Rule { invariant: "one-account", subject: Subject::Task, sql: ONE_ACCOUNT },
];

const HOLD_AND_TASK: &str = "
SELECT h.task_id AS id, 'a hold without a task' AS detail
FROM scope a JOIN hold h ON h.account_id = a.id LEFT JOIN task t ON t.id = h.task_id WHERE t.id IS NULL
UNION ALL
SELECT t.id, 'a task without a hold'
FROM scope a JOIN task t ON t.account_id = a.id LEFT JOIN hold h ON h.task_id = t.id WHERE h.task_id IS NULL
UNION ALL
SELECT t.id, 'costs ' || t.credits || ', but ' || h.amount || ' is held'
FROM scope a JOIN task t ON t.account_id = a.id JOIN hold h ON h.task_id = t.id WHERE h.amount <> t.credits";

const SETTLED_WHEN_TERMINAL: &str = "
SELECT t.id, 'the task is ' || t.state || ', its hold ' || h.state AS detail
FROM scope a JOIN task t ON t.account_id = a.id JOIN hold h ON h.task_id = t.id
WHERE (t.state = 'live') <> (h.state = 'open')";

const CHARGED_FOR_NOTHING: &str = "
SELECT t.id, 'the task is ' || t.state || ', captured ' || h.captured AS detail
FROM scope a JOIN task t ON t.account_id = a.id JOIN hold h ON h.task_id = t.id
WHERE t.state IN ('failed', 'canceled', 'expired') AND h.captured <> 0";

const LIVE_HAS_JOB: &str = "
SELECT t.id, 'a live task without a job' AS detail
FROM scope a JOIN task t ON t.account_id = a.id LEFT JOIN job j ON j.task_id = t.id
WHERE t.state = 'live' AND j.task_id IS NULL
UNION ALL
SELECT j.task_id, 'a job of a task that is ' || COALESCE(t.state, 'missing')
FROM scope a JOIN job j ON j.account_id = a.id LEFT JOIN task t ON t.id = j.task_id
WHERE COALESCE(t.state, 'missing') <> 'live'";

const RUNNING_IS_ACCEPTED: &str = "
SELECT j.task_id AS id, 'running without an accepted attempt' AS detail
FROM scope a JOIN job j ON j.account_id = a.id
WHERE j.state = 'running'
    AND NOT EXISTS (SELECT 1 FROM attempt n WHERE n.task_id = j.task_id AND n.state = 'accepted')";

const ONE_LIVE_SUBMISSION: &str = "
SELECT t.id, 'attempts ' || x.n || ' and ' || y.n || ' may both deliver a clip' AS detail
FROM scope a JOIN task t ON t.account_id = a.id
    JOIN attempt x ON x.task_id = t.id JOIN attempt y ON y.task_id = t.id AND y.n > x.n
WHERE x.clip_from < y.clip_from + y.clip_count AND y.clip_from < x.clip_from + x.clip_count
    AND x.state IN ('intent', 'accepted', 'unknown', 'broken')
    AND y.state IN ('intent', 'accepted', 'unknown', 'broken')";

const CLIPS_COMPLETE: &str = "
SELECT t.id, 'the task is ' || t.state || ', clips ' || COUNT(c.task_id) || ' of ' || t.clips || ', delivered '
    || COALESCE(SUM(CASE c.state WHEN 'delivered' THEN 1 ELSE 0 END), 0) AS detail
FROM scope a JOIN task t ON t.account_id = a.id LEFT JOIN clip c ON c.task_id = t.id
GROUP BY t.id, t.state, t.clips
HAVING t.state = 'completed' AND COUNT(c.task_id) <> t.clips
    OR (t.state = 'completed') <> (COALESCE(SUM(CASE c.state WHEN 'delivered' THEN 1 ELSE 0 END), 0) > 0)";

const ONE_MODE_OF_MONEY: &str = "
SELECT a.id, 'the account is ' || a.mode || ', transfer ' || t.seq || ' is ' || t.mode AS detail
FROM scope a JOIN transfer t ON t.account_id = a.id WHERE t.mode <> a.mode
UNION ALL
SELECT a.id, 'the account is ' || a.mode || ', the key ' || k.hint || ' is ' || k.mode
FROM scope a JOIN api_key k ON k.account_id = a.id WHERE k.mode <> a.mode";

const ONE_MODE_OF_WORK: &str = "
SELECT t.id, 'the account is ' || a.mode || ', the task is ' || t.mode AS detail
FROM scope a JOIN task t ON t.account_id = a.id WHERE t.mode <> a.mode
UNION ALL
SELECT j.task_id, 'the account is ' || a.mode || ', the job is ' || j.mode
FROM scope a JOIN job j ON j.account_id = a.id WHERE j.mode <> a.mode
UNION ALL
SELECT t.id, 'the account is ' || a.mode || ', attempt ' || n.n || ' is ' || n.mode
FROM scope a JOIN task t ON t.account_id = a.id JOIN attempt n ON n.task_id = t.id WHERE n.mode <> a.mode";

// Everything of a task belongs to one account: what holds, what works, what pays and what asked.
const ONE_ACCOUNT: &str = r#"
SELECT h.task_id AS id, 'the task is of another account than its hold' AS detail
FROM scope a JOIN hold h ON h.account_id = a.id JOIN task t ON t.id = h.task_id WHERE t.account_id <> a.id
UNION ALL
SELECT h.task_id, 'the job is of another account than the hold'
FROM scope a JOIN hold h ON h.account_id = a.id JOIN job j ON j.task_id = h.task_id WHERE j.account_id <> a.id
UNION ALL
SELECT h.task_id, 'allocation ' || p.n || ' draws on a grant of another account, or on none'
FROM scope a JOIN hold h ON h.account_id = a.id JOIN hold_allocation p ON p.task_id = h.task_id
    LEFT JOIN "grant" g ON g.id = p.grant_id
WHERE g.account_id IS NULL OR g.account_id <> a.id
UNION ALL
SELECT h.task_id, 'the key is of another account than the hold, or of none'
FROM scope a JOIN hold h ON h.account_id = a.id LEFT JOIN api_key k ON k.id = h.key_id
WHERE h.key_id IS NOT NULL AND (k.account_id IS NULL OR k.account_id <> a.id)"#;
