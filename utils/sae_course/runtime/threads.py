"""How a process's threads wait for one another."""

import os

POLICY = "OMP_WAIT_POLICY"


def wait_asleep() -> None:
    """Have OpenMP's threads sleep while they wait for one another, instead of spinning.

    By default a thread that has done its part of a matrix product spins until the others have done theirs. On
    a machine that is busy otherwise it thereby takes the core that the last one needs: 60 steps of a small
    SAE took 5 to 18 s on two busy cores, and .4 to 1.3 s with this. OpenMP reads the setting when torch is
    imported, so the package sets it when it is imported itself; whoever has set it already is left alone.
    """
    os.environ.setdefault(POLICY, "PASSIVE")
