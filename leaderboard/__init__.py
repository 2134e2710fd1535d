"""Results -> numbers -> text -> upload."""
