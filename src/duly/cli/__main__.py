"""`python -m duly.cli` is `duly`, for a process that starts another one with its own interpreter."""

from duly.cli.main import main

if __name__ == "__main__":
    main()
