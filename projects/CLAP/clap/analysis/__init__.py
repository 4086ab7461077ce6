"""Measurements of models and samplers: time, memory, what is drawn."""
