//! The runner is killed, at random instants, and taken up again: the world is the plan's end, or the world before.
