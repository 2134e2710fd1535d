"""What the rows say: means, intervals, comparisons, diagnosis."""
