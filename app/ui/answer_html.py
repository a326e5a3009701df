"""Answers as HTML, on pages as in reports."""

from peftcore.reports.answer_html import STYLE as STYLE
from peftcore.reports.answer_html import AnswerCell as AnswerCell
from peftcore.reports.answer_html import accepted_answers as accepted_answers
from peftcore.reports.answer_html import closest_text as closest_text
from peftcore.reports.answer_html import example_card as example_card
from peftcore.reports.answer_html import mark_differences as mark_differences
