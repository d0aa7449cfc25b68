# shellcheck shell=bash
# Other people's client libraries, which the tests hold the server against. Sourced by the scripts beside it, which define
# `say`. They stay in target/clients; the versions are part of what is noted there, so that other ones are installed anew.

readonly python_clients=(standardwebhooks==1.1.0) python_clients_folder=$PWD/target/clients

# Exports REELMETER_TEST_PYTHON, a Python with the libraries. Fails when they can't be had.
bring_python_clients() {
    local wanted=${python_clients[*]} folder=$python_clients_folder
    if [[ ! -f $folder/installed || $(<"$folder/installed") != "$wanted" ]]; then
        say "installing $wanted into $folder"
        python3 -m venv --clear "$folder" &&
            "$folder/bin/pip" -q --disable-pip-version-check install "${python_clients[@]}" &&
            printf '%s\n' "$wanted" >"$folder/installed" || return
    fi
    export REELMETER_TEST_PYTHON=$folder/bin/python
}
