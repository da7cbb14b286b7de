"""What is measured of a part alone: claims, fairness, writers, purging."""
