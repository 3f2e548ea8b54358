"""The words everyone uses: spec, snapshot, verdict, rollout, events, errors."""
