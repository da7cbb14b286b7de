"""Measures of single parts: claims, fairness, writers, purging."""
