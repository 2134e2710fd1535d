"""Context-summarised questions from recorded conversations: the QA set of arXiv 2602.00665, from
any source and any LLM.
"""
