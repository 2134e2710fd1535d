"""What a good strategy was, turn by turn: labels by language models and by people, on the
conversations of a dataset folder and on the replies in a run's samples.
"""
