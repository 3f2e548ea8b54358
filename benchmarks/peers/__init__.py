"""The peers, each in an environment of its own: what it installs is NAME.txt, what it runs is a script beside it."""
