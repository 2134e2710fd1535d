"""The page of a board, which needs nothing but a browser: render.py puts it together, overview.py
writes its tables as HTML.
"""
