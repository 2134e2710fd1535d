"""Can a played customer be believed? The same conversations with recorded people beside it: what is
different, by how much, and is that more than people differ from each other?

From dialogues to features (wording.py, turns.py, briefs.py, answers.py, dimensions.py), from
features to distances and a verdict (resampling.py, classifier.py, verdict.py), from these to files
(leaderboard/customer_audit.py, showing.py, drawing.py).
"""
