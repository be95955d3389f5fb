"""Ids and sizes of the default model, on which training, export and reference agree."""

MASK_ID, END_ID = 16, 0
SPECIAL = 17
"""The first ids of the vocabulary are special tokens."""
PROPOSALS = 8
"""Tokens that the head proposes for each place."""
LIMITS = {"max_related": 288, "max_prefix": 512, "max_suffix": 192}
CANVAS_SIZES = (16, 32)
