"""The rehearsal's results as a document."""

from collections.abc import Sequence

from benchmarks.rehearsal.ways import Result

FULL = """# A rehearsal at full size

A checkpoint of random numbers, as large as the published one and in the layouts that people have, written and run
without a GPU by `make rehearsal`: 12.87 billion parameters of the transformer, 7.5 of LLaMA, CLIP-L, SigLIP and the
VAE, 42 GB."""
SMALL = """# A rehearsal at the size of the embedded model

A checkpoint of random numbers in the layouts that people have, with the networks of the embedded model: it shows that
every way comes out, and nothing of memory and time at full size."""
BODY = """Every way is the program's own command line in a process of its own: one section of 64x64 in two steps, in
bfloat16, which a setting asks for (`cpu_precision`), since float32 would not fit. What comes out is noise; what is
measured is whether it comes out, what it needs, how long it takes and whether it says what it is doing.

**Memory** in GiB. *Forecast* is what the job says before it starts, *peak* the most private memory of the process and
all that it started (the kernel's RssAnon and RssShmem, asked ten times a second); *mapped* are pages of weights that
lie in the system's file cache, which it takes back when it needs the room, and which do not count. The bar is a peak of
at most 1.1 times the forecast.

**Seconds.** *Read*: the parts but the transformer; *prompt*: the encoders' reading of prompt and picture; *weights*:
the transformer read, merged and rounded; *step*: the second of two. *Silence* is the longest time without a word before
the first step is begun, with what was done in it.
"""
MEANING = {
    "read": ("text_encoder", "text_encoder_2", "image_encoder", "vae"),
    "prompt": ("prompts", "pictures"),
    "weights": ("transformer",),
    "step": ("step",),
}
COLUMNS = ("way", "forecast", "peak", "ratio", "mapped", *MEANING, "all", "silence")
WORDS = {"text_encoder": "LLaMA", "image_encoder": "SigLIP", "text_encoder_2": "CLIP", "vae": "VAE"}


def document(results: Sequence[Result], machine: str, after: str, full: bool = True) -> str:
    """The document, on a checkpoint of full size or on a small one: the table, then what is written by hand."""
    rows = [_row(COLUMNS), _row(["---"] * len(COLUMNS)), *(_row(_cells(result)) for result in results)]
    changed = [
        f"* {result.way}: " + ", ".join(f"{name} {seconds:g} s" for name, seconds in result.phases.items())
        for result in results
        if any(name.startswith("job") or "kill" in name for name in result.phases)
    ]
    return "\n".join([f"{FULL if full else SMALL} {BODY}", machine, "", *rows, "", *changed, "", after])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(result: Result) -> list[str]:
    times = [sum(result.phases.get(name, 0.0) for name in names) for names in MEANING.values()]
    silence = f"{result.silence:.0f} ({WORDS.get(result.during, result.during)})" if result.silence else ""
    return [
        result.way if result.good else f"{result.way}: **failed**",
        "" if result.forecast is None else f"{result.forecast:.2f}",
        f"{result.peak:.2f}",
        "" if result.ratio is None else f"{result.ratio:.2f}",
        f"{result.mapped:.1f}",
        *(f"{time:.1f}" if time else "" for time in times),
        f"{result.seconds:.0f}",
        silence,
    ]
