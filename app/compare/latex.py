"""A comparison as a LaTeX table, on the page as in reports."""

from peftcore.reports.latex import escape_latex as escape_latex
from peftcore.reports.latex import latex_table as latex_table
