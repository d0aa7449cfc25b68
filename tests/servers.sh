# shellcheck shell=bash
# A PostgreSQL and a Redis of our own, on 127.0.0.1 and ports of their own, in a temporary folder; all of it is removed at the
# end, also after a failure or a signal. Sourced by the scripts beside it, which set `program_name`, before they start anything
# `postgres_settings`, for the process that does their work `child`, and `needs_clients` if they do.

readonly ready_limit_s=60 stop_limit_s=10

say() { printf '%s: %s\n' "$program_name" "$*" >&2; }
die() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- Leaving nothing behind ---------------------------------------------------------------------------------

work='' child='' needs_clients=''

# A process is started as leader of its own group (see `detached`), so that a signal reaches its children too.
signal() { kill "-$1" -- "-$2" 2>/dev/null || kill "-$1" "$2" 2>/dev/null || true; }

# stop SIGNAL PID: ask politely, wait, then end whatever is left of the group.
stop() {
    local deadline=$((SECONDS + stop_limit_s))
    signal "$1" "$2"
    while kill -0 "$2" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.05; done
    signal KILL "$2"
}

clean_up() {
    trap - EXIT
    trap '' HUP INT TERM
    if [[ -n $child ]]; then stop TERM "$child"; fi
    # Asked of the shell rather than remembered: a signal may come between a start and the note of its id.
    # SIGINT, because PostgreSQL takes SIGTERM as "when the last client has gone".
    local pid
    for pid in $(jobs -p); do stop INT "$pid"; done
    if [[ -n $work ]]; then rm -rf -- "$work"; fi
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Replaces the (background) shell by a command in a session of its own: Ctrl-C at the terminal then reaches only
# the script, which stops its own work before the servers. The shell starts background commands deaf to SIGINT;
# tests of a clean shutdown need it.
detached() {
    trap - INT QUIT
    if have setsid; then exec setsid "$@"; else exec "$@"; fi
}

# --- What is needed -----------------------------------------------------------------------------------------

# Prints the folder of the PostgreSQL programs: the one on PATH, or the newest in the usual places.
postgres_folder() {
    local program
    while read -r program; do
        if [[ -x $program && -x ${program%/*}/initdb ]]; then
            printf '%s\n' "${program%/*}"
            return
        fi
    done < <(
        command -v postgres
        printf '%s\n' /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /usr/local/pgsql/bin/postgres \
            /opt/homebrew/opt/postgresql*/bin/postgres /usr/local/opt/postgresql*/bin/postgres | sort -rV
    )
}

redis_program() { command -v redis-server || command -v valkey-server || true; }

# Prints Debian's names of the packages that are missing.
missing_packages() {
    local packages=()
    if ! have cc || ! have c++; then packages+=(build-essential); fi
    # Not needed, but with it the encoder of the sandbox is built from assembly code: tests with clips are much faster.
    if may_install && [[ $(uname -m) == x86_64 ]] && ! have nasm; then packages+=(nasm); fi
    if [[ -z $(postgres_folder) ]]; then packages+=(postgresql); fi
    if [[ -z $(redis_program) ]]; then packages+=(redis-server); fi
    if [[ -n $needs_clients ]]; then
        if ! have npm; then packages+=(npm); fi
        if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then packages+=(python3-venv); fi
    fi
    echo "${packages[*]-}"
}

# Only the programs are wanted. Their packages would also start servers on the standard ports and create a
# database cluster: while we install, a policy file forbids the one and a setting the other.
readonly policy=/usr/sbin/policy-rc.d saved_policy=/usr/sbin/policy-rc.d.before-reelmeter-tests
readonly cluster_settings=/etc/postgresql-common/createcluster.d

as_root() { if ((EUID == 0)); then env "$@"; else sudo -n env "$@"; fi; }

forbid_services() {
    # A saved policy that is already there is the machine's own, left by a run that was killed.
    if [[ -e $policy && ! -e $saved_policy ]]; then as_root mv "$policy" "$saved_policy"; fi
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
    as_root mkdir -p "$cluster_settings"
    echo 'create_main_cluster = false' | as_root tee "$cluster_settings/reelmeter-tests.conf" >/dev/null
}

restore_services() {
    as_root rm -f "$policy" "$cluster_settings/reelmeter-tests.conf"
    if [[ -e $saved_policy ]]; then as_root mv "$saved_policy" "$policy"; fi
    as_root rmdir -p --ignore-fail-on-non-empty "$cluster_settings" || true
}

# install_packages PACKAGE…: in a subshell, whose own trap restores the machine's settings whatever happens.
install_packages() (
    exec 9</var/lib/dpkg
    flock 9 # a second run must not take our policy for the machine's
    trap restore_services EXIT
    trap 'exit 130' INT
    forbid_services
    # An outdated package list may do when the archive is out of reach, so a failed update is not an error yet.
    as_root apt-get -q update || true
    as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends \
        install "$@" || exit
    # Under systemd a Redis that is installed would start at the next boot.
    if [[ " $* " == *' redis-server '* && -d /run/systemd/system ]]; then
        as_root systemctl disable redis-server
    fi
)

may_install() { have apt-get && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; }

bring_what_is_needed() {
    have cargo || PATH=$PATH:${CARGO_HOME:-${HOME:-}/.cargo}/bin
    have cargo || die 'cargo is missing: install Rust (https://rustup.rs)'
    local packages log=$work/install.log
    packages=$(missing_packages)
    [[ -n $packages ]] || return 0
    may_install || die "please install, by these or your system's names for them: $packages"
    say "installing $packages"
    # shellcheck disable=SC2086 # a list of words
    if ! install_packages $packages </dev/null >"$log" 2>&1 || [[ -n $(missing_packages) ]]; then
        tail -n 20 "$log" >&2
        die "could not install $packages"
    fi
}

# --- The servers --------------------------------------------------------------------------------------------

make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/reelmeter-tests.XXXXXX")
    mkdir -m 700 "$work/tmp" "$work/server"
}

# PostgreSQL refuses to run as root: then both servers run as somebody who may do less, in a folder of theirs.
choose_server_user() {
    as_server=(env LC_ALL=C)
    ((EUID == 0)) || return 0
    local user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    have setpriv || die 'setpriv is missing (util-linux): run as an ordinary user instead of root'
    as_server=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups env LC_ALL=C)
    chmod 711 "$work"
    chown "$user" "$work/server"
    "${as_server[@]}" test -w "$work/server" ||
        die "$user cannot enter $work: set TMPDIR to a folder that everybody may enter"
}

# A password, because anybody on this machine can reach the port. Sent as it is: proving it by SCRAM costs a
# debug build far more than it is worth on a loopback connection.
create_postgres() {
    local log=$work/initdb.log
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '%s\n' "$password" | "${as_server[@]}" tee "$work/server/password" >/dev/null
    (
        cd "$work" # the current folder may be closed to the server's user
        "${as_server[@]}" "$postgres/initdb" -D "$work/server/postgres" --username=postgres --auth=password \
            --pwfile="$work/server/password" --locale=C --encoding=UTF8 --no-sync
    ) </dev/null >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die 'could not create a PostgreSQL cluster'
    }
}

# `postgres_settings` are the caller's.
postgres_server() {
    cd "$work"
    detached "${as_server[@]}" "$postgres/postgres" -D "$work/server/postgres" -p "$1" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 "${postgres_settings[@]}"
}

redis_server() {
    cd "$work"
    detached "${as_server[@]}" "$redis" --bind 127.0.0.1 --port "$1" --dir "$work/server" --save '' --appendonly no
}

# await_ready PID LOG: true when the server says so itself, false when it ended. Its own word is the only safe
# sign: an answer at the port might come from somebody else's server.
await_ready() {
    local deadline=$((SECONDS + ready_limit_s))
    until grep -qi 'ready to accept connections' "$2"; do
        kill -0 "$1" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# start SERVER: sets `port`. Whether a port is free is known only to the server that binds it, so we let it try
# another one when it was not. The range lies below those that systems give to outgoing connections.
start() {
    local log=$work/$1.log
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        : >"$log"
        "$1" "$port" </dev/null >"$log" 2>&1 &
        if await_ready $! "$log"; then return; fi
        grep -qi 'already in use' "$log" || break
    done
    tail -n 20 "$log" >&2
    die "$1 ended, or was not ready within $ready_limit_s s; above is the end of its log"
}

# Sets `postgres_url`.
start_postgres() {
    postgres=$(postgres_folder)
    choose_server_user
    create_postgres
    start postgres_server
    postgres_url="postgres://postgres:$password@127.0.0.1:$port/postgres"
}

# Sets `redis_url`. After `start_postgres`.
start_redis() {
    redis=$(redis_program)
    start redis_server
    redis_url="redis://127.0.0.1:$port/"
}

# Settings of the person at the keyboard (their database, their providers' keys) are no business of what is started here.
forget_settings() {
    local name
    for name in "${!PG@}" "${!REEL@}"; do
        [[ $name == REELMETER_TEST_* ]] || unset -v "$name"
    done
}

