"""CLIP-style against CLOC-style pre-training: rows of examinations, summary, claims, words, a figure."""

from backsight.results.contrastive.claims import CLAIMS, claims
from backsight.results.contrastive.tables import EXAMINED, SUMMARY, summary

__all__ = ["CLAIMS", "EXAMINED", "SUMMARY", "claims", "summary"]
