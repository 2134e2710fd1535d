"""The offline stand-in for a language model: it plays every role of the builders by rule, seeded,
in Chinese and English.
"""
