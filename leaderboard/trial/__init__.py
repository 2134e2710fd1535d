"""csc trial: from somebody's own conversations to one page that says which model to choose."""
