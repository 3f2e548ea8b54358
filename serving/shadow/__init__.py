"""The shadow process: follows the traffic log and answers the same inputs, where no user sees it."""
