"""Training with libraries that have no command of their own here: short, complete and tested examples."""
