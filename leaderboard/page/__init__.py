"""The page of a board: one HTML file that needs nothing but a browser (render.py puts it
together).
"""
