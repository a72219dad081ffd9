"""The rules, as functions of values. Nothing here asks anybody or reads a clock."""
