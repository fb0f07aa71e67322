"""What all sections of a report share: typed records, words, figures set into a page, and the study that is read."""
