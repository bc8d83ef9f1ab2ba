"""The roof: home screen, demo, and commands that need every app."""
