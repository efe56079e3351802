"""The chip store on disk."""
