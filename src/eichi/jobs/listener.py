"""What is asked of a running job, as its worker hears it from the row of the store."""

from eichi.events import Event, SectionDone
from eichi.jobs.schema import Job
from eichi.jobs.view import Ask


class Listener:
    """What is asked of a running job."""

    def __init__(self, job: Job) -> None:
        self.ask = job.ask
        self._over = False

    def heard(self, event: Event, row: Job) -> None:
        """The row as it is after an event. The section meant is the one that is drawn when the question is seen."""
        self.ask = row.ask
        self._over = row.ask == Ask.SECTION and isinstance(event, SectionDone) and event.computed > 0

    def stop(self) -> bool:
        """What the pipeline asks after every event."""
        return self.ask == Ask.NOW or (self.ask == Ask.SECTION and self._over)
