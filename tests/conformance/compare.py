"""Which of the tests that passed before do not pass now.

    python3 compare.py passing.txt results.json [again.json]
    python3 compare.py --lost passing.txt results.json

`passing.txt` has one id a line; `results.json` is what Tiled's suite wrote with `--json`, `again.json` the same of tests
that were run once more. Tests that pass and are not in the list are named, so that they can be added. Ends with
`N passed, N failed`. `--lost` prints a regular expression that matches the tests that are lost, if they are few: what a
busy machine has kept from its time passes alone.
"""

import json
import re
import sys
from pathlib import Path

FEW = 20


def read(path):
    path = Path(path)
    return json.loads(path.read_text()) if path.exists() else {}


def compare(passing, *results):
    lines = (line.strip() for line in Path(passing).read_text().splitlines())
    expected = {line for line in lines if line and not line.startswith("#")}
    outcomes = {}
    for path in results:
        outcomes |= read(path)
    passed = {name for name, result in outcomes.items() if result["outcome"] == "passed"}
    return expected, outcomes, passed


def main(*arguments):
    expected, outcomes, passed = compare(*arguments)
    for name in sorted(expected - passed):
        result = outcomes.get(name, {"outcome": "not run", "reason": ""})
        last = (result["reason"].strip().splitlines() or [""])[-1]
        print(f"{result['outcome']}: {name}  {last[:160]}")
    for name in sorted(passed - expected):
        print(f"new: {name}")
    good, bad = len(expected & passed), len(expected - passed)
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


def lost(*arguments):
    expected, _, passed = compare(*arguments)
    names = sorted(expected - passed)
    if 0 < len(names) <= FEW:
        print("|".join(f"^{re.escape(name)}$" for name in names))
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--lost":
        sys.exit(lost(*sys.argv[2:]))
    sys.exit(main(*sys.argv[1:]))
