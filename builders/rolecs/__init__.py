"""RoleCS: support conversations played by five roles (arXiv 2508.04423, section 4)."""
