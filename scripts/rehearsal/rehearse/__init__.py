"""The command `bundleflow rehearse`: sets the stage, plays a story, tells what happened."""
