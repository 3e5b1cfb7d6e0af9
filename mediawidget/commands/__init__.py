"""What `python -m mediawidget` can do; one command a module."""
