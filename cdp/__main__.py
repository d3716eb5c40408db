"""`python -m cdp`: the command line.

Belongs here: starting it. Does not belong here: any command (`cdp.cli`).
"""

from cdp.cli import main

if __name__ == "__main__":
    main()
