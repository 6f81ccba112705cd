"""Runs ``triage`` in forked children, one request a line on standard input: see ``engine_support.ForkServer``."""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.insert(0, sys.argv[1])

from triage import cli
from triage.commands import run as _run
from triage.engine import plan


def child(request: dict[str, object]) -> int:
    os.setsid()
    sink = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(sink, descriptor)
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    time.tzset()
    plan.BATCH_ITEMS = request["batch_items"]  # type: ignore[assignment]
    return cli.run(list(request["arguments"]))  # type: ignore[call-overload]


def main() -> None:
    assert _run.run.name == "run"
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                code = 99
                try:
                    code = child(request)
                finally:
                    os._exit(code)
        print(answer, flush=True)  # noqa: T201


main()
