"""The gateway: answers users with the champion of each pipeline, logs what it answered, follows the route."""
