"""1 accept: `admit` checks a request, `client` keeps it, `answer` waits for its end."""
