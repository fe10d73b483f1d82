"""What was measured of links, from files: losses by channel, values of links, noise by gateway and channel.

| file | columns | a row that is missing, or an empty cell |
|---|---|---|
| `path_loss_csv` | `node`, `gateway`, `channel`, `loss_db` | the pair has no link on that channel |
| `links_csv` | `node`, `gateway`, and any of `spread_db`, `sensitivity_db`, `slow_db`, `slow_s`, `channel_slow_db`, `channel_slow_s`, `missed_share` | 0 dB, a time constant of a day, a share of 0 |
| `noise_csv` | `gateway`, `channel`, `noise_db` | 0 dB |

Nodes and gateways go by their ids where their files have some, else by their numbers from 0; channels by their numbers
from 0, or by frequency.
"""  # noqa: E501 (a row of a table is one line)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lora_marl.config.ids import Names, channels_of, numbers_of
from lora_marl.config.links import LOSSES, warn_of_silence
from lora_marl.config.section import InputFile, RecordSection, fields_of
from lora_marl.config.tabular import TextTable, read_table
from lora_marl.config.topology import Sites
from lora_marl.core.checks import RANGES, check_in_range, range_of
from lora_marl.core.links import OF_LINKS, Links


@fields_of(Links)
class LinksConfig(RecordSection):
    """Measured links; fields and defaults of `lora_marl.core.links.Links`.

    Attributes:
        off: Gateways that are off, each by its number or id and from when until when (s of an episode). Packets that
            overlap this time are lost there with fate `GATEWAY_SENDING`, and no downlink begins in it.
        groups: Gateways in one place, by the name of the group; a gateway, by its number or id, is in one at most.
        path_loss_csv: File in place of `path_loss_db`, with the columns node, gateway, channel (a number, or a
            frequency) and loss_db; a relative path counts from the configuration's folder.
        links_csv: File with the columns node, gateway and any of spread_db, sensitivity_db, slow_db, slow_s,
            channel_slow_db, channel_slow_s and missed_share, in place of these.
        noise_csv: File in place of `noise_db`, with the columns gateway, channel and noise_db.
    """

    off: tuple[tuple[int | str, float, float], ...] = ()
    groups: dict[str, tuple[int | str, ...]] = {}
    path_loss_csv: InputFile | None = None
    links_csv: InputFile | None = None
    noise_csv: InputFile | None = None

    @property
    def files(self) -> list[Path | None]:
        """The files that links are read from."""
        return [self.path_loss_csv, self.links_csv, self.noise_csv]

    def build(self, sites: Sites | None = None, channels_hz: Sequence[float] = ()) -> Links:
        """The links of a network.

        Args:
            sites: Its nodes and gateways; None: only what needs neither these nor files is checked.
            channels_hz: Frequencies of its channels. `[C]` Hz
        """
        values = {name: value for name, value in self.fields().items() if not name.endswith("_csv")}
        if values["path_loss_db"] is not None:
            values["path_loss_db"] = np.asarray(values["path_loss_db"], np.float64)
        names = sites.gateway_names if sites is not None else self._named
        values["off"] = tuple((_gateway("off", gateway, names), *span_s) for gateway, *span_s in self.off)
        values["groups"] = {
            group: tuple(_gateway("groups", member, names) for member in members)
            for group, members in self.groups.items()
        }
        return Links(**values) if sites is None else Links(**(values | self._from_files(sites, channels_hz)))

    @property
    def _named(self) -> tuple[str, ...]:
        """All ids of gateways that occur, to stand for gateways that are not known yet."""
        members = (*(gateway for gateway, *_ in self.off), *(name for group in self.groups.values() for name in group))
        return tuple(dict.fromkeys(name for name in members if isinstance(name, str)))

    def _from_files(self, sites: Sites, channels_hz: Sequence[float]) -> dict[str, Any]:
        nodes, gateways = sites.node_names, sites.gateway_names
        values: dict[str, Any] = {}
        if self.path_loss_csv is not None:
            values["path_loss_db"] = read_channel_losses_db(
                "path_loss_csv", self.path_loss_csv, nodes, gateways, channels_hz
            )
        if self.links_csv is not None:
            values |= read_link_values("links_csv", self.links_csv, nodes, gateways)
        if self.noise_csv is not None:
            values["noise_db"] = read_noise_db("noise_csv", self.noise_csv, gateways, channels_hz)
        stated = [name for name in values if name in self.model_fields_set]
        if stated:
            raise ValueError(f"links.{stated[0]}: is in a file, too; keep one of them")
        return values


def _gateway(key: str, name: int | str, names: Sequence[str]) -> int:
    return Names("gateway", names).number(key, name) if isinstance(name, str) else name


def read_channel_losses_db(
    key: str, path: Path, nodes: Sequence[str], gateways: Sequence[str], channels_hz: Sequence[float]
) -> NDArray[np.float64]:
    """Path loss of every link on every channel.

    Args:
        key: The configuration key that names the file.
        path: The file.
        nodes, gateways: Their ids, or their numbers as text. `[N]`, `[G]`
        channels_hz: Frequencies of the channels. `[C]` Hz

    Returns:
        `[N, G, C]` dB; infinite where there is no link.

    Raises:
        ValueError: a row that names nothing known, occurs twice or has no loss, or a column that is missing.
    """
    table = read_table(key, path)
    column = next((name for name in LOSSES if name in table.header), LOSSES[0])
    _require(table, ("node", "gateway", "channel", column))
    places = (
        numbers_of(table, "node", table.texts("node"), nodes),
        numbers_of(table, "gateway", table.texts("gateway"), gateways),
        channels_of(table, table.texts("channel"), channels_hz),
    )
    _check_once(table, zip(*places, strict=True))
    loss_db = np.full((len(nodes), len(gateways), len(channels_hz)), np.inf)
    loss_db[places] = table.numbers(column, empty=np.inf)
    check_in_range(table.place, loss_db, RANGES["path_loss_db"])
    table.ignore_others(("node", "gateway", "channel", column), LOSSES)
    warn_of_silence(table.place, nodes, gateways, loss_db.min(axis=-1))
    return loss_db


def read_link_values(
    key: str, path: Path, nodes: Sequence[str], gateways: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Values of every link, by the field of `lora_marl.core.links.Links`; for arguments see `read_channel_losses_db`.

    Returns:
        Those fields for which there is a column. `[N, G]`
    """
    table = read_table(key, path)
    columns = [name for name in table.header if name in OF_LINKS]
    table.ignore_others(("node", "gateway", *columns), OF_LINKS)
    _require(table, ("node", "gateway"))
    if not columns:
        raise ValueError(f"{table.place}: has none of the columns {', '.join(OF_LINKS)}")
    places = (
        numbers_of(table, "node", table.texts("node"), nodes),
        numbers_of(table, "gateway", table.texts("gateway"), gateways),
    )
    _check_once(table, zip(*places, strict=True))
    values = {}
    for name in columns:
        default = 0.0 if name == "spread_db" else float(getattr(Links, name))
        values[name] = np.full((len(nodes), len(gateways)), default)
        values[name][places] = table.numbers(name, empty=default)
        allowed = range_of(name)
        if allowed is not None:  # a share has no unit; the links check it
            check_in_range(f"{table.place}: {name}", values[name], allowed)
    return values


def read_noise_db(key: str, path: Path, gateways: Sequence[str], channels_hz: Sequence[float]) -> NDArray[np.float64]:
    """Noise of every gateway and channel above the noise floor; for arguments see `read_channel_losses_db`.

    Returns:
        `[G, C]` dB
    """
    table = read_table(key, path)
    _require(table, ("gateway", "channel", "noise_db"))
    places = (
        numbers_of(table, "gateway", table.texts("gateway"), gateways),
        channels_of(table, table.texts("channel"), channels_hz),
    )
    _check_once(table, zip(*places, strict=True))
    noise_db = np.zeros((len(gateways), len(channels_hz)))
    noise_db[places] = table.numbers("noise_db", empty=0.0)
    check_in_range(f"{table.place}: noise_db", noise_db, RANGES["db"])
    table.ignore_others(("gateway", "channel", "noise_db"), ("noise_db",))
    return noise_db


def _require(table: TextTable, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in table.header:
            raise ValueError(f"{table.place}: the column {column!r} is required; found: {', '.join(table.header)}")


def _check_once(table: TextTable, places: Iterable[tuple[int, ...]]) -> None:
    seen: set[tuple[int, ...]] = set()
    for place, line, row in zip(places, table.lines, table.rows, strict=True):
        if place in seen:
            raise ValueError(f"{table.place} line {line}: {', '.join(row[: len(place)])} occurs twice")
        seen.add(place)
