"""Results, descriptions and documents for people: terminal tables, Markdown, pages."""
