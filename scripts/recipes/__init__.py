"""How to train on our environments with libraries that have no script of their own here: short, complete, tested."""
