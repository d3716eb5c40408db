"""Which failures are told to people, and that each is told once."""


def alert_of_gate(held, verdict):
    print("ALERT", verdict)


def alert_of_failure(*a):
    print("ALERT", a)
