//! Every metric there is: its name, its labels and what it says. docs/OPERATIONS.md has the same table, and a test compares.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All of them.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD = Gauge "reelmeter_build_info" ["version"] "Always 1; the label says which version runs.";
    PROCESS_START = Gauge "reelmeter_process_start_time_seconds" [] "When the process started, in seconds since 1970.";
    PROCESS_MEMORY = Gauge "reelmeter_process_resident_memory_bytes" [] "Memory of the process (Linux).";
    PROCESS_FILES = Gauge "reelmeter_process_open_files" [] "Files and sockets that the process has open (Linux).";

    HTTP_REQUESTS = Counter "reelmeter_http_requests_total" ["method", "route", "status"] "Requests answered, by the template of their path and the class of their status.";
    HTTP_DURATION = Histogram "reelmeter_http_request_duration_seconds" ["method", "route", "status"] "Time until the answer began.";
    HTTP_IN_FLIGHT = Gauge "reelmeter_http_requests_in_flight" [] "Requests that are being answered.";
    HTTP_REFUSALS = Counter "reelmeter_http_refusals_total" ["code"] "Requests that were answered with an error, by its stable code; rate limits are rate_limited, concurrency_limit_reached, too_many_requests, too_many_attempts and too_many_streams.";

    LANE_BATCH = Histogram "reelmeter_lane_batch_commands" [] "Commands that one transaction of the ledger served.";
    LANE_COMMIT = Histogram "reelmeter_lane_commit_duration_seconds" [] "Time of one transaction of the ledger, from its locks to its commit.";
    LANE_WAITING = Gauge "reelmeter_lane_waiting_commands" ["queue"] "Commands that wait for the ledger.";
    LANE_REFUSALS = Counter "reelmeter_lane_refusals_total" ["reason"] "Commands that the ledger refused.";
    TASKS_ACCEPTED = Counter "reelmeter_tasks_accepted_total" ["mode"] "Tasks accepted by this process.";
    TASKS_SETTLED = Counter "reelmeter_tasks_settled_total" ["state"] "Tasks settled by this process, by how they ended.";

    WORKER_JOBS = Gauge "reelmeter_worker_jobs" [] "Jobs that this process follows.";
    WORKER_CLAIMS = Counter "reelmeter_worker_claims_total" ["provider"] "Jobs claimed by this process.";
    WORKER_TAKEOVERS = Counter "reelmeter_worker_takeovers_total" [] "Jobs taken from workers that stopped beating.";
    PROVIDER_CALLS = Counter "reelmeter_provider_calls_total" ["provider", "call", "outcome"] "Calls of providers; rejected, unavailable, unknown and broken are errors.";
    PROVIDER_DURATION = Histogram "reelmeter_provider_call_duration_seconds" ["provider", "call"] "Time of one call of a provider.";
    PROVIDER_FAILURES = Counter "reelmeter_provider_failures_total" ["provider", "code"] "Clips that were not made or not usable, by their class.";
    PROVIDER_COST = Counter "reelmeter_provider_cost_micro_usd_total" ["provider", "fate"] "What providers said that clips cost, in millionths of a US dollar; lost: the clip could not be delivered, or came after the end, and is not charged.";
    PROVIDER_TAKEN_IDS = Counter "reelmeter_provider_taken_ids_total" ["provider"] "Submissions that were answered with the id of another one: the attempt is broken and not charged.";
    PROVIDER_FAILOVERS = Counter "reelmeter_provider_failovers_total" ["provider", "reason"] "Clips that went on to another provider, by the one that did not make them and the class of its failure.";
    PROVIDER_ORPHANS = Counter "reelmeter_provider_orphans_total" ["provider"] "Submissions that were given up without knowing what became of them: they may be billed to us.";
    PROVIDER_ORPHAN_COST = Counter "reelmeter_provider_orphan_cost_micro_usd_total" ["provider"] "What those may have cost by the price book's cost cards, in millionths of a US dollar.";
    PROVIDER_CALLBACKS = Counter "reelmeter_provider_callbacks_total" ["provider", "outcome"] "Callbacks of providers that were looked at: news, or forged.";
    CLIP_STORE = Histogram "reelmeter_clip_store_duration_seconds" ["outcome"] "Time of one try to fetch, look at and store a clip.";
    CLIP_BYTES = Counter "reelmeter_clip_stored_bytes_total" [] "Bytes of the clips that were stored.";
    WEBHOOKS_SENT = Counter "reelmeter_webhook_sends_total" ["outcome"] "Tries of webhooks: delivered, put off until later, or given up.";
    BOOK_VIOLATIONS = Gauge "reelmeter_book_violations" [] "Violations that the last hourly check of this worker found in the books.";

    DATABASE_UP = Gauge "reelmeter_database_up" [] "Whether the database answered; if not, the metrics below are missing.";
    POOL_CONNECTIONS = Gauge "reelmeter_database_connections" ["pool", "state"] "Connections to the database.";
    AVAILABLE = Gauge "reelmeter_available_credits" ["mode"] "Credits that customers can spend.";
    HELD = Gauge "reelmeter_held_credits" ["mode"] "Credits reserved for tasks under way.";
    DEBT = Gauge "reelmeter_debt_credits" ["mode"] "Credits that customers owe.";
    BOOK = Gauge "reelmeter_book_credits" ["mode", "account"] "Balance of our own accounts: what came in is above zero (revenue, expired), what was given is below (purchases, promotions).";
    OPEN_HOLDS = Gauge "reelmeter_open_holds" ["mode"] "Holds that are not settled.";
    OLDEST_HOLD = Gauge "reelmeter_oldest_open_hold_age_seconds" ["mode"] "Age of the oldest of them; 0 without any.";
    AUDIT_ROOT = Gauge "reelmeter_last_audit_root_age_seconds" [] "Age of the newest root over the journal's chains; missing before the first one.";
    JOBS = Gauge "reelmeter_jobs" ["provider", "state"] "Tasks under way.";
    OLDEST_JOB = Gauge "reelmeter_oldest_unclaimed_job_age_seconds" ["provider"] "How long the oldest job has been waiting for a worker; 0 without any.";
    KEYS = Gauge "reelmeter_provider_keys" ["provider", "state"] "Keys of a provider that are not used now: resting after faults, or out without money or right.";
    WORKERS = Gauge "reelmeter_workers" [] "Workers whose heartbeat is fresh.";
    WEBHOOKS_PENDING = Gauge "reelmeter_webhooks_pending" [] "Webhooks that are still to be delivered.";
    OLDEST_WEBHOOK = Gauge "reelmeter_oldest_due_webhook_age_seconds" [] "How long the oldest webhook has been due; 0 without any.";
    INBOX = Gauge "reelmeter_inbox_unprocessed" [] "Callbacks of providers that nobody has looked at yet.";
}
