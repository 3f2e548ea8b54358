"""Packages of a version for places without Understudy; each holds the approved bytes, and checks them before it answers."""
