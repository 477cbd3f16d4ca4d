"""Hosts of our own: network namespaces on one bridge, whose packets can be dropped, refused or lost.

Names begin with `duly-` and the process id of their run; a run first removes what dead ones have left.
The bridge is in the first host's namespace. This process reaches all hosts through an interface of its own,
which goes when the namespaces go.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence

from support.cluster import alive
from support.soak_servers import Host

OURS = re.compile(r"duly-(\d+)-\w+")
#: Private addresses that nobody here uses; each run has a net of its own.
NETS = "10.213.{}"
OUTSIDE = 254


class NoNamespaces(Exception):
    """This host cannot do it; the text says why."""


class Network:
    """Hosts by name, in this order, the first with the bridge; each has an address and a way to enter it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._net = NETS.format(os.getpid() % 250 + 1)
        self.hosts = {name: self._host(name, n) for n, name in enumerate(names, start=1)}
        self.outside = Host(f"{self._net}.{OUTSIDE}")
        self._ours = f"duly{os.getpid()}"

    def _host(self, name: str, n: int) -> Host:
        return Host(f"{self._net}.{n}", ("ip", "netns", "exec", namespace(name)))

    def build(self) -> None:
        """Makes all of it."""
        hub = self._names[0]
        for name in self._names:
            run("ip", "netns", "add", namespace(name))
            self.inside(name, "ip", "link", "set", "lo", "up")
        self.inside(hub, "ip", "link", "add", "bridge", "type", "bridge")
        self.inside(hub, "ip", "addr", "add", f"{self.hosts[hub].address}/24", "dev", "bridge")
        self.inside(hub, "ip", "link", "set", "bridge", "up")
        for name in self._names[1:]:
            end = ("netns", namespace(hub), "name", f"to-{name}")
            self.inside(name, "ip", "link", "add", "net", "type", "veth", "peer", *end)
            self._plug(f"to-{name}")
            self.inside(name, "ip", "addr", "add", f"{self.hosts[name].address}/24", "dev", "net")
            self.inside(name, "ip", "link", "set", "net", "up")
        ours = self._ours
        run("ip", "link", "add", ours, "type", "veth", "peer", "netns", namespace(hub), "name", "outside")
        self._plug("outside")
        run("ip", "addr", "add", f"{self.outside.address}/24", "dev", ours)
        run("ip", "link", "set", ours, "up")

    def remove(self) -> None:
        """Removes what there is of it."""
        removals = [(remove, namespace(name)) for name in self._names]
        for away, name in [(lambda link: run("ip", "link", "delete", link), self._ours), *removals]:
            with contextlib.suppress(NoNamespaces):  # it was not made
                away(name)

    def _plug(self, end: str) -> None:
        self.inside(self._names[0], "ip", "link", "set", end, "master", "bridge", "up")

    def inside(self, name: str, *words: str) -> str:
        """What a command says on a host."""
        return run(*self.hosts[name].enter, *words)

    def rule(self, name: str, chain: str, *words: str) -> None:
        """Packets that match are no longer let through as they were."""
        self.inside(name, "iptables", "-w", "-A", chain, *words)

    def cut_off(self, name: str) -> None:
        """A black hole: whatever a host sends or is sent is gone, and nobody is told."""
        self.rule(name, "INPUT", "!", "-i", "lo", "-j", "DROP")
        self.rule(name, "OUTPUT", "!", "-o", "lo", "-j", "DROP")

    def black_hole(self, name: str, port: int) -> None:
        """The same for one port that it talks to."""
        self.rule(name, "OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        self.rule(name, "INPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP")

    def reset(self, hub: str, port: int, sender: str) -> None:
        """Whatever a host sends to a port on `hub` is answered with a reset; the other end hears nothing."""
        words = ("-p", "tcp", "--dport", str(port), "-s", self.hosts[sender].address)
        self.rule(hub, "INPUT", *words, "-j", "REJECT", "--reject-with", "tcp-reset")

    def lose(self, name: str, share: float) -> None:
        """Loses this share of the packets that a host is sent."""
        chance = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        self.rule(name, "INPUT", "!", "-i", "lo", *chance, "-j", "DROP")

    def heal(self, name: str) -> None:
        """All packets pass again."""
        self.inside(name, "iptables", "-w", "-F")


def able() -> None:
    """Looks whether this host can do it.

    Raises:
        NoNamespaces: it cannot.
    """
    for program in ("ip", "iptables", "setpriv"):
        if shutil.which(program) is None:
            raise NoNamespaces(f"{program} is not on this host")
    if os.geteuid() != 0:
        raise NoNamespaces("network namespaces need root")


def namespace(name: str, pid: int | None = None) -> str:
    """What a host's namespace is called."""
    return f"duly-{os.getpid() if pid is None else pid}-{name}"


def run(*words: str) -> str:
    """What a command says.

    Raises:
        NoNamespaces: it failed.
    """
    ended = subprocess.run(words, capture_output=True, text=True, timeout=20)
    if ended.returncode:
        raise NoNamespaces(f"{' '.join(words)}: {ended.stderr.strip() or ended.returncode}")
    return ended.stdout


def sweep() -> list[str]:
    """Removes the namespaces of runs that are dead, with the processes in them; answers their names."""
    names = [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]
    stale = [name for name in names if (found := OURS.fullmatch(name)) and not alive(int(found[1]))]
    for name in stale:
        remove(name)
    return stale


def remove(name: str) -> None:
    """One namespace, after whatever still runs in it."""
    for pid in run("ip", "netns", "pids", name).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    run("ip", "netns", "delete", name)


@contextlib.contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts that are there as long as this lasts.

    Raises:
        NoNamespaces: this host cannot make them.
    """
    able()
    sweep()
    made = Network(names)
    try:
        made.build()
        yield made
    finally:
        made.remove()
