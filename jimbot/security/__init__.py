"""What keeps strangers out and the owner informed: audit, tokens, TLS, files of secrets."""
