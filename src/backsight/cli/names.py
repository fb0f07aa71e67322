"""Names that the help of a command lists. They stand here so that `--help` imports nothing; a test holds them true."""

from __future__ import annotations

MEASUREMENT_NAMES = (
    "behaviour", "gap", "pathways", "permutation", "captions", "localization", "embeddingnorms", "interchange",
    "imageinterchange", "backup", "probes", "probemaps", "modalities", "looking", "heads", "rotary", "priors", "text",
    "resolution", "amplify", "tournament", "creg", "occlusion", "knockout", "flip", "moved",
)  # fmt: skip
SET_NAMES = (
    "squares", "shapes", "objects", "grid_2x2", "grid_3x3", "pairs", "hard", "degraded_squares", "tabletop_a",
    "tabletop_b", "pairs_textured", "pairs_a", "pairs_textured_a", "jittered_squares", "jittered_shapes",
    "jittered_objects",
)  # fmt: skip
REPAIR_NAMES = (
    "amplification", "amplification_printed", "adaptvis", "scalingvis", "norm_rescale", "both_sides", "box_attention",
    "pin",
)  # fmt: skip
VSR_SPLITS = ("random/test", "random/dev", "random/train", "zeroshot/test", "zeroshot/dev", "zeroshot/train")
SIZES = ("tiny", "small", "base")  # of a recipe
PRECISIONS = ("no", "bf16", "fp16")
