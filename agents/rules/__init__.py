"""Rules, which choose operating points without learning from fates.

`fixed` has random and constant choices. `adr`, `adr_server` and `dylora` follow the strength of the packets received;
`adr_chirpstack`, `adr_tts`, `adr_ns3` and `adr_semtech` do so as servers of today do (`served_adr`: what they share);
`adr_js` runs a plug-in of ChirpStack in place of its rule;
`adr_lite` searches by what arrives alone. `load_balance`, `explora`, `fadr` and `rs_lora` share the load among
spreading factors.
"""
