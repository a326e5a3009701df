"""What each run of a set is called and drawn with, on pages as in reports."""

from peftcore.reports.run_styles import setting_name as setting_name
from peftcore.reports.run_styles import setting_value as setting_value
from peftcore.reports.run_styles import shorten_names as shorten_names
from peftcore.reports.run_styles import styles_by_run as styles_by_run
from peftcore.reports.run_styles import titles_by_run as titles_by_run
