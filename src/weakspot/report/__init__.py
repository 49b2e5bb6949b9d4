"""What a run says: summary.json first, then tables, figures and the HTML page, all made from the summary."""
