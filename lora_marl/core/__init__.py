"""The radio network: formulas, scenarios, the packet air, closed forms and metrics; nothing decides or learns."""
