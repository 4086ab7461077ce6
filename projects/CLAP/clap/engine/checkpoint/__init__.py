"""Checkpoints: read, compare, export, restore."""
