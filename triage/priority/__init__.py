"""Profiles, explainable scores, the review queue."""
