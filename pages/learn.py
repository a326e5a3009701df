"""Learn: six stories about the five papers and about honest intervals, a picture a step."""

from app.learn import page

page.show()
