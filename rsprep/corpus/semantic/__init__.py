"""The semantic corpus: images and class masks of scenes, cut into chips."""
