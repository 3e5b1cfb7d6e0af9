"""What leaves a view: pictures, tables, and pages that need no kernel."""
