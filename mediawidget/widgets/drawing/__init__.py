"""A view as a picture: one SVG that stands alone, drawn from what the page draws from."""
