"""Recorded traffic of a real network: imports it, shows what is in it, records it live.

- `python scripts/logs.py import events/ --out runs/logs/mine`
- `python scripts/logs.py show runs/logs/mine`
- `python scripts/logs.py listen mqtt://localhost --out events`

Understood are events of ChirpStack v3 and v4 and of The Things Stack v3, frames of ChirpStack's gateways (JSON),
Semtech's UDP packets, rows of Helium, and tables in text; `.gz` too. docs/bridge.md says which fields are used.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from scripts.runs.cli import JsonPath, UsageError, console, errors, needed, new_app, one_line_errors, write_json

with needed("orjson"), needed("pyarrow"), needed("paho"):
    from lora_marl.logs.counting import sent
    from lora_marl.logs.mqtt import TOPICS, BrokerError, Recorder
    from lora_marl.logs.reading import NothingToRead, import_log
    from lora_marl.logs.tables import TrafficLog

from scripts.bridge import first_page

app = new_app()

PASSWORD = "LORA_MARL_MQTT_PASSWORD"
"""Environment variable of the broker's password, which a command line would show to others."""

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an imported log.")]


@app.callback(help=__doc__)
def main() -> None:
    """Runs one of the commands below."""


@app.command("import")
def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders to read.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the log.")],
    region: Annotated[
        str | None, typer.Option(help="Region of data rates that are stated by number (ChirpStack v3), such as EU868.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier log.")] = False,
) -> None:
    """Reads files and folders into one table of frames and one of receptions (Parquet), and shows them."""
    with one_line_errors():
        if (out / "frames.parquet").exists() and not overwrite:
            raise UsageError(f"--out: {out} has a log already; replace it with --overwrite")
        try:
            with errors.status("reading") as status:
                log = import_log(
                    paths,
                    out,
                    region=region,
                    progress=lambda path, frames: status.update(f"{path}: {frames:,} uplinks"),
                )
        except (NothingToRead, ValueError) as error:
            raise UsageError(str(error)) from None
        except OSError as error:
            raise UsageError(f"{error.filename or out}: {error.strerror or error}") from None
        _show(log, out)


@app.command()
def show(folder: Folder, json: JsonPath = None) -> None:
    """Shows the first page of a log (devices, gateways, delivery, channels, gaps) and draws `first_page.png`."""
    with one_line_errors():
        try:
            log = TrafficLog.load(folder)
        except ValueError as error:
            raise UsageError(str(error)) from None
        _show(log, folder)
        counts = sent(log)
        write_json(
            json,
            [
                {"device": name, "sent": int(counts.frames[number]), "delivered": int(counts.heard[number]),
                 "period_s": float(counts.period_s[number]),
                 "heard_by": dict(zip(log.gateways, counts.heard_by[number].tolist(), strict=True))}
                for number, name in enumerate(log.devices)
            ],
        )  # fmt: skip


@app.command()
def listen(
    broker: Annotated[str, typer.Argument(metavar="URL", help="mqtt://host:1883, or mqtts://host:8883 with TLS.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the files, one for each day.")],
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="FILTER", help=f"Topics; may be repeated. Default: {', '.join(TOPICS)}"),
    ] = None,
    username: Annotated[str | None, typer.Option(help=f"The broker's; its password is taken from {PASSWORD}.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="When to stop; default: at Ctrl-C.")] = None,
) -> None:
    """Records the events of an MQTT broker (JSON) into files that `import` reads."""
    with one_line_errors():
        try:
            recorder = Recorder(broker, out, topic or TOPICS, username=username, password=os.environ.get(PASSWORD))
            recorder.start()
        except (ValueError, BrokerError) as error:
            raise UsageError(str(error)) from None
        end_s = None if seconds is None else time.monotonic() + seconds
        try:
            with errors.status("listening") as status:
                while end_s is None or time.monotonic() < end_s:
                    time.sleep(0.2)
                    status.update(f"{recorder.messages:,} events written to {out}")
        except KeyboardInterrupt:
            pass
        finally:
            recorder.stop()
        console.print(f"{recorder.messages:,} events written to {out}")
        if recorder.unreadable:
            note = "messages were no JSON; set the marshaler of the server or bridge to json"
            errors.print(f"note: {recorder.unreadable:,} {note}", style="yellow")


def _show(log: TrafficLog, folder: Path) -> None:
    for part in first_page.tables(log):
        console.print(part, soft_wrap=isinstance(part, str))
    picture = folder / "first_page.png"
    first_page.draw(log, picture)
    console.print(f"pictures: {picture}")


if __name__ == "__main__":
    app()
