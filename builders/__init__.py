"""Raw conversations to dataset folders."""
