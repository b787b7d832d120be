"""What every page has under a figure: where the numbers come from, folded, and the data as CSV."""

import base64

import pandas as pd
from IPython.display import HTML

from ..results.reading import provenance_line
from ..results.store import Results


def origin(results: Results, profile: str, data: pd.DataFrame | None = None, name: str = "") -> HTML:
    """Fold away where the numbers of a figure come from, with its data as a CSV file to keep."""
    return folded(f"Profile {profile}; {provenance_line(results)}.", data, name)


def folded(words: str, data: pd.DataFrame | None, name: str) -> HTML:
    """Fold away some words and a CSV file."""
    link = ""
    if data is not None:
        content = base64.b64encode(data.to_csv(index=not isinstance(data.index, pd.RangeIndex)).encode()).decode()
        link = f' <a download="{name}.csv" href="data:text/csv;base64,{content}">Data (CSV)</a>'
    return HTML(f'<details class="origin"><summary>Where these numbers come from</summary>{words}{link}</details>')
