"""Runs the interoperability cases; see run.sh."""

import sys
import time
import traceback

import case_kamailio
import case_linphone
import case_sipp
from harness import Failure, World

CASES = {"sipp": case_sipp.run, "linphone": case_linphone.run, "kamailio": case_kamailio.run}


def main(names):
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"no such case: {', '.join(unknown)}; there are: {', '.join(CASES)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or CASES:
        begun = time.monotonic()
        try:
            with World(name) as world:
                CASES[name](world)
            print(f"ok   {name} ({time.monotonic() - begun:.0f} s)", flush=True)
        except Failure as failure:
            failed.append(name)
            print(f"FAIL {name}: {failure}", flush=True)
        except Exception:
            failed.append(name)
            print(f"FAIL {name}: {traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
