"""What every page is made with: the templates' folder, and how they are rendered."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent


def layouts() -> Environment:
    """Return the templates; a value that is missing is a defect, and every value is escaped."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
