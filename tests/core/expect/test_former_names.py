"""Former names of closed forms work until 0.2.0, with a warning that says the new one."""

from __future__ import annotations

import pytest

from lora_marl.core.expect import OneGatewayIncremental, expectation, incremental


def test_the_module_of_the_incremental_form_of_one_gateway() -> None:
    message = r"expect\.incremental\.Incremental is now lora_marl\.core\.expect\.OneGatewayIncremental"
    with pytest.warns(DeprecationWarning, match=message):
        assert incremental.Incremental is OneGatewayIncremental
    for name in ("BITS", "DELIVERED", "ENERGY", "PACKETS"):
        with pytest.warns(DeprecationWarning, match=f"is now lora_marl.core.expect.expectation.{name}"):
            assert getattr(incremental, name) == getattr(expectation, name)
    with pytest.raises(AttributeError, match="no attribute 'Decremental'"):
        _ = incremental.Decremental
