"""The Novu stand-in: answers as Novu's API does, and remembers what each subscriber was delivered."""
