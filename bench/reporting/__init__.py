"""What bench/report.py and bench/compare.py are made of. Python's standard library only."""
