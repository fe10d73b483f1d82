"""Writes the JSON Schema of configurations, for editors that complete and check YAML.

- `python scripts/schema.py --out schema.json`

A first line `# yaml-language-server: $schema=schema.json` in a configuration then completes its keys in editors that
speak to that server (VS Code, Neovim, JetBrains by setting). Without `--out` the schema goes to the standard output.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lora_marl.config.schema import json_schema
from lora_marl.core.files import write_atomically
from scripts.runs.cli import UsageError, console, new_app, one_line_errors

app = new_app()


@app.command(help=__doc__)
def main(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: the standard output.")] = None,
) -> None:
    """Writes the schema."""
    with one_line_errors():
        text = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
        if out is None:
            typer.echo(text, nl=False)
            return
        try:
            write_atomically(out, text)
        except OSError as error:
            raise UsageError(f"--out: {out}: {error.strerror}") from None
        console.print(f"schema: {out}")


if __name__ == "__main__":
    app()
