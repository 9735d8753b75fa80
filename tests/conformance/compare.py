"""Which of the tests that passed before do not pass now.

    python3 compare.py passing.txt results.json

`passing.txt` has one id a line; `results.json` is what Tiled's suite wrote with `--json`. Tests that pass and are not
in the list are named, so that they can be added. Ends with `N passed, N failed`.
"""

import json
import sys
from pathlib import Path


def main(passing, results):
    lines = (line.strip() for line in Path(passing).read_text().splitlines())
    expected = {line for line in lines if line and not line.startswith("#")}
    path = Path(results)
    outcomes = json.loads(path.read_text()) if path.exists() else {}
    passed = {name for name, result in outcomes.items() if result["outcome"] == "passed"}
    for name in sorted(expected - passed):
        result = outcomes.get(name, {"outcome": "not run", "reason": ""})
        last = (result["reason"].strip().splitlines() or [""])[-1]
        print(f"{result['outcome']}: {name}  {last[:160]}")
    for name in sorted(passed - expected):
        print(f"new: {name}")
    good, bad = len(expected & passed), len(expected - passed)
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
