"""`make bench RIG=FOLDER`: Ostiary beside a bare server with hand-written SQL and beside its peers, as ratios.

The rig starts all of them, lets them take turns within each round, and pins each server to one core. What is printed
are ratios within a round: their median, and in brackets the least and the greatest.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
CEILING: Final = "ceiling_asgi"
PEERS: Final = ("platformatic", "postgraphile")
OURS: Final = ("ours", "ours_policies", "ours_many_roles")
#: What is aimed at with 10,000 roles and 200 rules, compared with one rule for everybody.
MANY_AIM: Final = 0.9
QUERIES: Final = ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8")
#: What is aimed at, to the ceiling and to the best peer.
AIMS: Final[Mapping[str, tuple[float, float]]] = {
    "Q1": (0.72, 1.5),
    "Q2": (1.3, 1.7),
    "Q3": (1.0, 2.7),
    "Q4": (1.0, 2.2),
    "Q5": (0.92, 1.9),
    "Q6": (0.97, 2.8),
    "Q7": (0.75, 1.3),
    "Q8": (0.82, 2.0),
}

Rates = dict[tuple[str, int], dict[str, float]]


@dataclass(frozen=True)
class Ratios:
    """The ratios of all rounds."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        if not self.values:
            return "-"
        middle = statistics.median(self.values)
        return f"{middle:.2f} ({min(self.values):.2f} to {max(self.values):.2f})"


def main() -> None:
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "run").exists():
        sys.exit("Say where the benchmark rig is: make bench RIG=FOLDER")
    rig, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        run(Path(rig), results, options)
        measured = json.loads(results.read_text(encoding="utf-8"))
    sys.stdout.write("\n".join(table(measured["rows"], measured["meta"])) + "\n")


def run(rig: Path, results: Path, options: Iterable[str]) -> None:
    """Nothing; the rig has written its results."""
    names = ",".join((CEILING, *OURS, *PEERS))
    command = [rig / "run", "--only", names, "--conns", "16", "--rounds", "3", "--seconds", "3", *options]
    environment = os.environ | {"BENCH_EXTRA": str(HERE / "contenders")}
    subprocess.run([*command, "--json", results], check=True, env=environment, stdout=sys.stderr)


def table(rows: Iterable[Mapping[str, Any]], meta: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    rates: Rates = defaultdict(dict)
    for row in rows:
        rates[row["query"], row["round"]][row["contender"]] = row["rps"]
    weaker = {(name, query) for name, about in meta.items() for query in about.get("weaker", ())}
    lines = [
        "| | to the ceiling | with a policy on each table | aim | to the best peer | aim | with 10,000 roles | aim |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for query in QUERIES:
        rounds = [found for (asked, _), found in sorted(rates.items()) if asked == query]
        peers = [name for name in PEERS if (name, query) not in weaker]
        one_rule, policies, many_roles = OURS
        to_ceiling, with_policy = (Ratios(_ratios(rounds, name, [CEILING])) for name in (one_rule, policies))
        to_one_rule = Ratios(_ratios(rounds, many_roles, [one_rule]))
        to_peer = Ratios(_ratios(rounds, one_rule, peers))
        ceiling_aim, peer_aim = AIMS[query]
        lines.append(
            f"| {query} | {to_ceiling} | {with_policy} | {ceiling_aim} | {to_peer} | {peer_aim} "
            f"| {to_one_rule} | {MANY_AIM} |"
        )
    memory = {name: about["loaded_mib"]["pss"] for name, about in meta.items() if "loaded_mib" in about}
    return [*lines, "", "Memory after load, MiB PSS: " + ", ".join(f"{name} {mib}" for name, mib in memory.items())]


def _ratios(rounds: Iterable[Mapping[str, float]], name: str, beside: Iterable[str]) -> tuple[float, ...]:
    """In each round the rate of one, to the best of the others."""
    found: list[float] = []
    for rates in rounds:
        others = [rates[other] for other in beside if other in rates]
        if name in rates and others:
            found.append(rates[name] / max(others))
    return tuple(found)


if __name__ == "__main__":
    main()
