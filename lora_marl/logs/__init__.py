"""Recorded traffic of real networks: reading it, and what it says.

`reading.import_log` turns files of network servers and gateways into one table of frames and one of receptions
(`tables.TrafficLog`), kept as Parquet; `first_page.summarize` says what is in them. `mqtt.listen` records live.

Needs the extra `logs` (orjson, pyarrow, paho-mqtt).
"""
