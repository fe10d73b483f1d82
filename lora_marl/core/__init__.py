"""The radio network itself: formulas, scenarios, the packet air, closed forms and metrics; no decisions, no learning."""
