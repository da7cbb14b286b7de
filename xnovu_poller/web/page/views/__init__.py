"""The views of the page, a file for each: what it reads, and the template that shows it."""
