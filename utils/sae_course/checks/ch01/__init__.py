"""Checks of chapter 01, toy superposition: ``from sae_course.checks import ch01 as check``."""
