"""``make fuzz``: every parser of untrusted bytes over mutated inputs, for a bounded time. Exit code 1 when one fails.

    python tests/fuzz/run.py [--seconds 120] [--seed 1] [--keep build/fuzz] [TARGET ...]
    python tests/fuzz/run.py --replay FILE TARGET
    python tests/fuzz/run.py --input NUMBER [--seed 1] TARGET   (writes that input to standard output)
    python tests/fuzz/run.py --list
    python tests/fuzz/run.py --engine atheris TARGET [options of libFuzzer]   (when atheris is installed: guided by coverage)

The same seed gives the same inputs. A failing input is kept under ``--keep``; once it is understood, it moves to
``tests/fuzz/regressions/TARGET/``, whose files every test run tries again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from harness import child, fuzz, run_one  # noqa: E402
from mutation import make_input  # noqa: E402
from targets import TARGETS  # noqa: E402


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--child"]:
        _, name, seed, first, seconds, folder = arguments
        child(TARGETS[name], int(seed), int(first), float(seconds), Path(folder))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which parsers; all when none is named")
    parser.add_argument("--seconds", type=float, default=120.0, help="time for all together")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other inputs")
    parser.add_argument("--keep", type=Path, default=HERE.parents[1] / "build" / "fuzz", help="folder for inputs that fail")
    parser.add_argument("--replay", type=Path, help="run one input and show how it ends")
    parser.add_argument("--input", type=int, help="write the input of that number to standard output")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    options, rest = parser.parse_known_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown or (rest and options.engine == "own"):
        say(f"there is no {(unknown or rest)[0]!r}; targets: {', '.join(TARGETS)}")
        return 2
    names = options.targets or list(TARGETS)
    if options.list:
        say("\n".join(TARGETS))
        return 0
    if options.input is not None:
        target = TARGETS[names[0]]
        sys.stdout.buffer.write(make_input(target.seeds(), target.tokens, options.seed, options.input))
        return 0
    if options.replay:
        failure = run_one(TARGETS[names[0]], options.replay.read_bytes())
        say(failure.detail if failure else "it ends as it should")
        return 1 if failure else 0
    if options.engine == "atheris":
        return with_atheris(names[0], rest)
    return all_of(names, options.seed, options.seconds, options.keep)


def all_of(names: list[str], seed: int, seconds: float, keep: Path) -> int:
    """Fuzz targets one after the other, each for its share of the time."""
    failed = executions = 0
    for name in names:
        result = fuzz(TARGETS[name], seed, seconds / len(names), keep)
        executions += result.executions
        failed += len(result.failures)
        slowest = f"slowest {result.slowest * 1000:6.0f} ms (input {result.slowest_input:,})"
        fell = f"  {len(result.failures)} FAILED" if result.failures else ""
        say(f"{name:24} {result.executions:9,} inputs {result.seconds:6.1f} s  {slowest}{fell}")
        for failure in result.failures:
            say(f"    input {failure.number:,}: {failure.kind}")
    say(f"{len(names)} targets, {executions:,} inputs, {failed} failures" + (f": see {keep}" if failed else ""))
    return 1 if failed else 0


def with_atheris(name: str, arguments: list[str]) -> int:
    """Let libFuzzer choose the inputs, guided by the coverage of our code. It ends the process itself."""
    try:
        import atheris
    except ImportError:
        say("atheris is not installed (pip install atheris; Linux and macOS): the own engine needs nothing")
        return 2
    atheris.instrument_all()
    target = TARGETS[name]

    def one(data: bytes) -> None:
        failure = run_one(target, data)
        if failure is not None:
            raise RuntimeError(failure.detail)

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
