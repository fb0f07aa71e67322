"""What the results of relevance share: words, lines of marks, cells of tables, and means of summaries."""
