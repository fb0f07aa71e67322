"""What a recording keeps of the latest call of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from backsight.errors import EditError
from backsight.models.sites import Positions, SiteName

GradFrom = int | Literal["vision"] | None


@dataclass
class Recording:
    """What was seen at some sites in the latest call of the model: `recording["resid_pre", 3]`.

    Values are (batch, position, d_model) for "all" positions, else the selected rows (row, d_model) in batch-major
    order. With `grad_from`, the residual stream before that layer is a leaf, or with "vision" what the last block of
    the vision encoder gives: gradients stop there.
    """

    sites: tuple[SiteName, ...]
    layers: frozenset[int] | None
    positions: Positions
    grad_from: GradFrom
    values: dict[tuple[SiteName, int], Tensor] = field(default_factory=dict)

    def __getitem__(self, key: tuple[SiteName, int]) -> Tensor:
        if key not in self.values:
            raise EditError("Nothing was recorded there", where=key, got=f"{len(self.values)} other sites and layers")
        return self.values[key]

    def wants(self, site: SiteName, layer: int) -> bool:
        """Whether this site and layer is recorded."""
        return site in self.sites and (self.layers is None or layer in self.layers)
