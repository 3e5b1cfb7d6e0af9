"""How the teaching model in ``mediawidget/models/teaching`` was made and measured."""
