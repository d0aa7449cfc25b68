# shellcheck shell=bash
# Other people's client libraries, which the tests hold the server against. Sourced by the scripts beside it, which define
# `say`. They stay in target/clients; the versions are part of what is noted there, so that other ones are installed anew.

readonly python_clients=(standardwebhooks==1.1.0 openai==3.57.0 mcp==2.3.0)
# OpenAI's library wants a newer Node than systems bring: one comes with it.
readonly node_clients=(node@22.23.3 openai@7.59.0)
readonly clients_folder=$PWD/target/clients

# is_there FOLDER VERSIONS
is_there() { [[ -f $1/installed && $(<"$1/installed") == "$2" ]]; }

# Exports REELMETER_TEST_PYTHON, a Python with the libraries. Fails when they can't be had.
bring_python_clients() {
    local wanted=${python_clients[*]} folder=$clients_folder/python
    if ! is_there "$folder" "$wanted"; then
        say "installing $wanted into $folder"
        python3 -m venv --clear "$folder" &&
            "$folder/bin/pip" -q --disable-pip-version-check install "${python_clients[@]}" &&
            printf '%s\n' "$wanted" >"$folder/installed" || return
    fi
    export REELMETER_TEST_PYTHON=$folder/bin/python
}

# Exports REELMETER_TEST_NODE, a folder with a Node and the libraries in it. Fails when they can't be had.
bring_node_clients() {
    local wanted=${node_clients[*]} folder=$clients_folder/node
    if ! is_there "$folder" "$wanted"; then
        say "installing $wanted into $folder"
        rm -rf -- "$folder"
        mkdir -p "$folder"
        npm install --prefix "$folder" --silent --no-fund --no-audit --no-save "${node_clients[@]}" </dev/null &&
            "$folder/node_modules/.bin/node" --version >/dev/null &&
            printf '%s\n' "$wanted" >"$folder/installed" || return
    fi
    export REELMETER_TEST_NODE=$folder
}
