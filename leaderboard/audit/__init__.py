"""Can a played customer be believed? The same conversations with recorded people beside it: what is
different, by how much, and is that more than people differ from each other?

From dialogues to features (reading.py, turns.py, cues.py, features.py, briefs.py, answers.py, and
dimensions.py, the table of all), from features to distances and a verdict (measuring.py,
resampling.py, classifier.py, comparing.py, auditing.py), from these to text and pictures
(showing.py, drawing.py). command.py is `csc audit-customer`.

And does the order of the models survive another customer? candidates.py, survival.py and
survival_report.py; survival_command.py is `csc customers`.
"""
