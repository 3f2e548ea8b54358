"""Prefect tells the story of each flow; the plain functions are in flows.stages."""
