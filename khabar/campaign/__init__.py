"""A campaign of blind multiple annotation: opened, watched, synchronised, measured, adjudicated, closed."""

from khabar.campaign.kept import check_exports, create_projects, guidelines_html, project_title, write_exports

__all__ = ["check_exports", "create_projects", "guidelines_html", "project_title", "write_exports"]
