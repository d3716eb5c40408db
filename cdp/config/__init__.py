"""Reading and validating what a deployment declares in `config/`."""
