#!/bin/sh
# Prints the tables of docs/performance.md. Arguments: which of sip, allocations, transactions, memory, store,
# endtoend, instructions, kamailio (all but the last two when none is given).
# CPM_BENCH_BUILT=1: the binaries are up to date, build nothing.
set -eu
cd "$(dirname "$0")"
[ -n "${CPM_BENCH_BUILT:-}" ] || cargo build --release --locked --quiet --bins
bin=${CARGO_TARGET_DIR:-target}/release

# Instructions executed in one parse, counted by valgrind: the same in every run, however busy the machine.
instructions() {
    echo "### Instructions of one call (callgrind; the difference of 400 and 200 calls)"
    echo
    echo "| contender | message | parse | typed |"
    echo "|---|---|---:|---:|"
    "$bin/one" list | while IFS='	' read -r contender message; do
        set -- "$contender" "$message"
        printf '| %s | %s |' "$1" "$2"
        for call in parse typed; do
            if "$bin/one" "$1" "$2" "$call" 1 </dev/null; then
                few=$(count "$1" "$2" "$call" 200)
                many=$(count "$1" "$2" "$call" 400)
                printf ' %s |' $(((many - few) / 200))
            else
                printf ' - |'
            fi
        done
        echo
    done
}

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bin/one" "$@" 2>&1 </dev/null |
        sed -n 's/^==[0-9]*== Collected : //p'
}

# The same load through Kamailio as registrar and stateful proxy, one worker.
kamailio() {
    command -v kamailio >/dev/null || { echo "kamailio is not installed"; return 0; }
    run=$(mktemp -d)
    /usr/sbin/kamailio -m 2048 -f "$PWD/kamailio.cfg" -DD -E -Y "$run" -P "$run/pid" >"$run/log" 2>&1 &
    main=$!
    sleep 2
    echo "| what | messages/s | server CPU µs/message |"
    echo "|---|---:|---:|"
    "$bin/endtoend" against 127.0.0.1:15070 "$main" || tail -n 3 "$run/log"
    kill "$main"
    wait "$main" 2>/dev/null || true
}

[ $# -gt 0 ] || set -- sip allocations transactions memory store endtoend
for part in "$@"; do
    case $part in
    instructions) instructions ;;
    kamailio) kamailio ;;
    *) "$bin/$part" ;;
    esac
    echo
done
