"""The first screen of a report: four cards, the path of position, what was left out, what to do next."""
