"""Edits of single images: noise of some classes drawn anew, or another mask."""
