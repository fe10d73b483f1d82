"""Rules, which choose operating points without learning from fates.

`fixed` has random and constant choices. `adr`, `adr_server` and `dylora` follow the strength of the packets received.
`load_balance` and `rs_lora` share the load among spreading factors.
"""
