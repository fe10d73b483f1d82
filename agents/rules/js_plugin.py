"""ADR plug-ins of ChirpStack v4: JavaScript modules that decide a device's data rate, power and repetitions.

A plug-in is one file, an ES module that exports `id()`, `name()` and `handle(req)`. ChirpStack runs it in QuickJS, in a
new context for every uplink, so that a plug-in cannot remember anything between calls; so does this module.

Source: ChirpStack v4, `chirpstack/src/adr/plugin.rs`; its documentation, "ADR algorithms".
Differences:
    1. A call may take `CALL_LIMIT_S` of CPU time. ChirpStack has no limit, and an endless loop would stop it.
    2. `import` and the module `console` are not available.
    3. A response with other than whole numbers, or with a field missing, is an error here too; one outside the region's
       data rates and powers is another, where ChirpStack sends a command that the device refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

CALL_LIMIT_S = 1.0
"""CPU time after which a call of a plug-in is an error. s"""

_REGISTER = "\n;globalThis.__plugin = {id, name, handle};"
"""Makes what the module declares reachable from outside; a name that it does not declare is an error of the module."""

_CALL = "(request => JSON.stringify(__plugin.handle(JSON.parse(request))))"


class AdrParameters(NamedTuple):
    """What a plug-in answers: data rate, index of the power (0 is the highest) and NbTrans."""

    rate: int
    power: int
    nb_trans: int


class PluginError(RuntimeError):
    """A call of a plug-in threw, took too long, or answered something that is no set of parameters."""


class JsPlugin:
    """One plug-in, loaded and checked.

    Args:
        path: The file.

    Attributes:
        id, name: As the plug-in states them.

    Raises:
        ModuleNotFoundError: QuickJS is not installed.
        ValueError: the file cannot be read, or is no plug-in; names the file.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            import quickjs
        except ModuleNotFoundError as error:
            line = "adr-js needs quickjs, of the extra js: pip install -e '.[js]' in the clone"
            raise ModuleNotFoundError(line, name="quickjs") from error
        self._engine = quickjs
        self.path = Path(path)
        try:
            self._source = self.path.read_text(encoding="utf-8") + _REGISTER
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"plugin: {self.path} cannot be read: {error}") from None
        try:
            context = self._context()
            self.id, self.name = (context.eval(f"String(__plugin.{field}())") for field in ("id", "name"))
            if context.eval("typeof __plugin.handle") != "function":
                raise ValueError(f"plugin: {self.path}: handle is no function")
        except quickjs.JSException as error:
            raise ValueError(
                f"plugin: {self.path} is no ADR plug-in, a module that declares and exports the functions id, name "
                f"and handle: {_first_line(error)}"
            ) from None

    def handle(self, request: Mapping[str, Any]) -> AdrParameters:
        """The plug-in's answer to one request, in a new context.

        Args:
            request: ChirpStack's fields, such as `dr`, `txPowerIndex`, `nbTrans` and `uplinkHistory`.

        Raises:
            PluginError: see there.
        """
        try:
            answer = self._context().eval(_CALL)(json.dumps(request))
        except self._engine.JSException as error:
            raise PluginError(_first_line(error)) from None
        fields = json.loads(answer) if isinstance(answer, str) else None
        if not isinstance(fields, dict):
            raise PluginError(f"handle returned {answer}; an object with dr, txPowerIndex and nbTrans is needed")
        values: list[Any] = [fields.get(field) for field in ("dr", "txPowerIndex", "nbTrans")]
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise PluginError(f"handle returned {answer}; dr, txPowerIndex and nbTrans must be whole numbers")
        return AdrParameters(*values)

    def _context(self) -> Any:
        context = self._engine.Context()
        context.set_time_limit(CALL_LIMIT_S)
        context.module(self._source)
        return context


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
