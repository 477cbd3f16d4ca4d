"""The supervised process with the API: `python -m duly.http.serve`, started by the supervisor."""

from duly.http.api import create_api
from duly.runtime.child import main

if __name__ == "__main__":
    main(create_api)
