"""The ways in which Lacuna is run: the rows of the tables, the points of the curve."""

from __future__ import annotations

from engine.choose import Policy
from engine.prompt import Mode

from .systems import Variant

FIM = "llama.cpp, fill-in-the-middle"
"""The peer with a model of its own, which has to be given."""
PEERS = ("llama.cpp", "llama.cpp Q8_0", "transformers", FIM)
REFERENCE = Mode.DIFFUSION
"""As Lacuna fills out of the box; times are said as multiples of this one's on the same span."""
ONE = "one token a pass"
WITHOUT_CRITIC = "diffusion, no critic"
THRESHOLDS = (0.5, 0.7, 0.9)
"""Of committing in any order, unchecked."""
AGREEMENTS = (0.1, 1.0)
"""Beside the default of 0.01."""


def variants() -> list[Variant]:
    """All of them; those of the main table first."""
    verified = [
        Variant(f"agreement {share:g}", {"mode": Mode.VERIFIED, "agreement": share})
        for share in AGREEMENTS
    ]
    return [
        *(Variant(mode, {"mode": mode}, is_main=True) for mode in Mode),
        *(
            Variant(f"threshold {t}", {"policy": Policy.THRESHOLD, "threshold": t})
            for t in THRESHOLDS
        ),
        Variant("top 4", {"policy": Policy.TOP_K, "top_k": 4}),
        Variant("entropy 0.35", {"policy": Policy.ENTROPY, "entropy": 0.35}),
        Variant("settled 0.8", {"policy": Policy.STABLE, "threshold": 0.8}),
        Variant(ONE, {"policy": Policy.ONE}),
        *verified,
        Variant(WITHOUT_CRITIC, critic=False),
    ]
