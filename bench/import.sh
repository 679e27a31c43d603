#!/bin/bash
# Measures `quarterdeck import` of a Mattermost with many accounts, into SQLite and into PostgreSQL.
#
#   bench/import.sh postgres://me@127.0.0.1:5432/postgres [ACCOUNTS]
#
# Needs psql, a role that may create databases, and a release build (`cargo build --release`). It makes two databases
# and drops them at its end; all else is in a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BASE=${1:?the address of a PostgreSQL is missing} ACCOUNTS=${2:-100000}
readonly PROGRAM=$PWD/target/release/quarterdeck
readonly SERVER=${BASE%/*} SOURCE=bench_source_$$ TARGET=bench_target_$$
FOLDER=$(mktemp -d)

finish() {
    for name in "$SOURCE" "$TARGET"; do
        psql -qX "$BASE" -c "DROP DATABASE IF EXISTS $name" || true
    done
    rm -rf "$FOLDER"
}
trap finish EXIT

measure() {
    local engine=$1 before after
    before=$(date +%s.%N)
    (cd "$FOLDER" && "$PROGRAM" import --from "$SERVER/$SOURCE?sslmode=disable" >"$engine.txt")
    after=$(date +%s.%N)
    awk -v engine="$engine" -v before="$before" -v after="$after" -v rows="$(awk '$1 == "all" { print $2 }' "$FOLDER/$engine.txt")" \
        'BEGIN { printf "%s: %d rows in %.1f s\n", engine, rows, after - before }'
}

settings() {
    printf '[SqlSettings]\nDriverName = "%s"\nDataSource = "%s"\n' "$1" "$2" >"$FOLDER/config.toml"
}

psql -qX "$BASE" -c "CREATE DATABASE $SOURCE" -c "CREATE DATABASE $TARGET"
psql -qX -v ON_ERROR_STOP=1 -v accounts="$ACCOUNTS" "$SERVER/$SOURCE" \
    -f tests/faults/mattermost.sql -f tests/support/original.sql -f bench/import.sql >/dev/null
echo "load of the machine: $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) cores"
settings sqlite "$FOLDER/quarterdeck.db"
measure SQLite
settings postgres "$SERVER/$TARGET?sslmode=disable"
measure PostgreSQL
echo "load of the machine: $(cut -d' ' -f1-3 /proc/loadavg)"
