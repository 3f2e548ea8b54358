"""`python -m understudy` is the same as `understudy`."""

from understudy.main import main

main()
