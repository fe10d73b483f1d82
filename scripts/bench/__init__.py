"""What the benchmark times, and what is counted of the code; commands import it, nothing else does."""
