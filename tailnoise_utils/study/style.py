"""The look of every figure, and the line that says where its numbers came from."""

import matplotlib as mpl

# Okabe and Ito's palette: told apart with any colour vision, and in this order also in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777", "#B8A800", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
WIDTH = 8.1  # inches, of a figure that fills the page of the book: shown in 6.4, 9 points are 7 then
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "savefig.facecolor": "white",
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
