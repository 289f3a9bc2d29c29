"""The command wazo-auth-nginx."""
