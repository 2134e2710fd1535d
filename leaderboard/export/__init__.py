"""Results in the formats of others: what `csc publish` lets out, in another shape."""
