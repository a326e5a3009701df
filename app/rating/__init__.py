"""Rate and Ratings: blind human ratings in the browser."""
