"""Vision encoders pre-trained on captions: CLIP-style (whole pictures) and CLOC-style (regions too).

CLOC-style: what Chen et al. (Contrastive Localized Language-Image Pre-Training, arXiv 2410.02746) describe, at the size
of a laptop and on drawn scenes. Their weights are not public; what is ours is said where it is chosen.
"""
