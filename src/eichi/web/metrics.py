"""What Prometheus is told at `/metrics`: jobs by state, waiting times, seconds a step, workers and memory.

Behind the same guard as everything else: Prometheus is given a token. Every figure is made when it is asked for, from
the store and the machine, so that several pages of one store say the same. Knows no page.
"""

from collections.abc import Iterator

import psutil
from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eichi.jobs.store import Store

ADDRESS = "/metrics"
GIB = 2**30
SHARES = (0.5, 0.9, 1.0)  # of the waiting times of the last jobs: the median, nearly all, the longest


class StoreCollector(Collector):
    """The figures of a store, as they are when they are asked for. Raises StoreError where it does not answer."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def collect(self) -> Iterator[Metric]:
        told, workers = self.store.measures(), self.store.workers()
        states = GaugeMetricFamily("eichi_jobs", "Jobs by state.", labels=["state"])
        for state, count in told.states.items():
            states.add_metric([state], count)
        waited = GaugeMetricFamily(
            "eichi_waited_seconds",
            "How long the last hundred jobs had waited when they were begun.",
            labels=["quantile"],
        )
        for share in SHARES if told.waited else ():
            waited.add_metric([str(share)], told.waited[round(share * (len(told.waited) - 1))])
        steps = GaugeMetricFamily("eichi_step_seconds", "What a step takes, median of the last jobs.", labels=["model"])
        for model, seconds in told.steps.items():
            steps.add_metric([model], seconds)
        oldest = 0.0 if told.oldest is None else max(0.0, self.store.now() - told.oldest)
        yield from (states, waited, steps)
        yield GaugeMetricFamily("eichi_oldest_waiting_seconds", "How long the first job waits that waits.", oldest)
        yield GaugeMetricFamily("eichi_queue_held", "Whether no worker takes a job.", int(self.store.held))
        names = ["node", "device", "card", "version"]
        busy = GaugeMetricFamily("eichi_worker_busy", "Workers: 1 for one that has a job.", labels=names)
        memory = GaugeMetricFamily("eichi_worker_memory_bytes", "Memory of a worker's device.", labels=names)
        for one in workers:
            labels = [one.node, one.device, one.card or "", one.version]
            busy.add_metric(labels, int(one.job is not None))
            if one.memory_gib is not None:
                memory.add_metric(labels, one.memory_gib * GIB)
        yield from (busy, memory)
        machine = psutil.virtual_memory()
        yield GaugeMetricFamily("eichi_memory_available_bytes", "Free memory of the page's machine.", machine.available)
        yield GaugeMetricFamily("eichi_memory_total_bytes", "Memory of the page's machine.", machine.total)


def routes(store: Store) -> APIRouter:
    router, registry = APIRouter(), CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(store))
    ProcessCollector(registry=registry)

    @router.get(ADDRESS, include_in_schema=False)
    def read_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
