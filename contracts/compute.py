"""Where checks, evaluation and batch scoring are computed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from contracts.strict import StrictModel


class Compute(StrictModel):
    """In this process, or on a Dask cluster; what comes out is the same, so this decides no fit and is in no digest."""

    engine: Literal["local", "dask"] = "local"
    address: str | None = Field(None, description="of the Dask scheduler, such as tcp://HOST:8786; UNDERSTUDY_DASK when null")

    @model_validator(mode="after")
    def _address_is_used(self) -> Compute:
        if self.address is not None and self.engine != "dask":
            raise ValueError("compute.address is of a Dask scheduler, and compute.engine is local; write engine: dask")
        return self
