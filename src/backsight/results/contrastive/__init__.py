"""CLIP-style against CLOC-style pre-training: rows of examinations, their summary over seeds, words and a figure."""

from backsight.results.contrastive.tables import EXAMINED, SUMMARY, over_seeds, summary

__all__ = ["EXAMINED", "SUMMARY", "over_seeds", "summary"]
