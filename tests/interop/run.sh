#!/bin/sh
# Runs cpm against programs nobody here wrote: sipp, tshark, linphone, kamailio. All on loopback, free ports, no
# daemon left behind. Give the names of cases to run only those: sipp, linphone, kamailio.
#
#   tests/interop/run.sh [case…]        CPM=path/to/cpm uses that binary instead of building one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${CPM:-}" ]; then
    cargo build --quiet --manifest-path "$here/../../Cargo.toml" --bin cpm
    target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$here/../../Cargo.toml" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    CPM=$target/debug/cpm
fi
export CPM
exec python3 -B "$here/interop.py" "$@"
