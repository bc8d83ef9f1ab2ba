"""`python -m tests.benchmarks NAME`: run one of them; readable lines first, one JSON object on the last."""

import importlib
import json
import sys
from pathlib import Path


def main() -> int:
    folder = Path(__file__).parent
    names = sorted(path.stem for path in folder.glob("[a-z]*.py") if "def run()" in path.read_text())
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        print(f"python -m tests.benchmarks NAME, where NAME is one of: {', '.join(names)}", file=sys.stderr)
        return 2
    name = sys.argv[1]
    figures: dict[str, object] = importlib.import_module(f"tests.benchmarks.{name}").run()
    figures = {"benchmark": name} | figures
    width = max(map(len, figures))
    for key, figure in figures.items():
        print(f"{key:<{width}}  {figure}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
