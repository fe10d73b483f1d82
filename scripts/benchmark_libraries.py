"""Times each library's wrapper of an environment beside the arrays behind it, with random actions.

- `python scripts/benchmark_libraries.py`
- `python scripts/benchmark_libraries.py coexistence_v0 --library supersuit`
- `make recipe-skrl`, then `.venv-skrl/bin/python scripts/benchmark_libraries.py --library skrl`

There are 100 nodes (in `coexistence_v0` 100 in each of two networks, whose groups are the agents), and 32 replicas
where a wrapper takes several. An environment step is a step of all agents of one replica. Actions are drawn beforehand,
so that only steps are timed; wrapper and arrays take turns. Libraries that are not installed are left out.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer
from rich.table import Table

from scripts.runs.cli import JsonPath, UsageError, console, new_app, one_line_errors, write_json
from scripts.speed import libraries

app = new_app()


@app.command(help=__doc__)
def main(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="uplink_v0 or coexistence_v0.")] = "uplink_v0",
    library: Annotated[str | None, typer.Option(metavar="PACKAGE", help="Only its wrappers.")] = None,
    json: JsonPath = None,
) -> None:
    """Measures and reports."""
    with one_line_errors():
        installed = {name: wrapper for name, wrapper in libraries.WRAPPERS.items() if wrapper.installed}
        wanted = {name: wrapper for name, wrapper in installed.items() if library in (None, wrapper.library)}
        if not wanted:
            known = ", ".join(sorted({wrapper.library for wrapper in installed.values() if wrapper.library}))
            raise UsageError(f"--library: {library!r} is not installed; installed are {known}")
        table, records = Table("wrapper", "version", title=f"{environment}: environment steps per CPU second"), []
        for column in ("replicas", "steps/s", "arrays", "of arrays"):
            table.add_column(column, justify="right")
        for name, wrapper in wanted.items():
            rate, arrays = libraries.rates(name, environment)
            release = "" if wrapper.library is None else f"{wrapper.library} {version(wrapper.library)}"
            table.add_row(
                name, release, str(wrapper.replicas), f"{rate:,.0f}", f"{arrays:,.0f}", f"{rate / arrays:.3f}"
            )
            record = {"version": release, "replicas": wrapper.replicas}
            measured = {"steps_per_s": rate, "arrays_steps_per_s": arrays}
            records.append({"environment": environment, "wrapper": name, **record, **measured})
        console.print(table, soft_wrap=False)
        write_json(json, records)


if __name__ == "__main__":
    app()
