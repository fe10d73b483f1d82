"""Faces for the libraries that users bring: one module each, which needs its library and nothing else beside ours."""
