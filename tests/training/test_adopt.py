"""Training goes on from the weights that ship, keeps what it needs to go on again, and the best of it is exported."""

from pathlib import Path

import pytest
import torch

from training import adopt, cache, codec, decoder, drawn, samples, state, transformer, world
from training.text import saved_tokenizers
from training.transformer import Job, Trainer, best

TINY = Path(__file__).parents[2] / "src" / "eichi" / "models" / "tiny"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the shipped model and a handful of clips."""
    made = tmp_path_factory.mktemp("state")
    adopt.adopt(TINY, made)
    code = cache.codec(made)
    for split in (cache.TRAIN, cache.VALID):
        scenes = [s for k in range(2) for s in world.pair(split, k, (48, 80))]
        state.save(made / "clips" / f"{split}-0000.pt", vars(cache.code_scenes(code, scenes)))
    return made


def test_what_is_adopted_is_what_ships(folder: Path) -> None:
    words = saved_tokenizers(folder)[0]("a red star moves right").input_ids
    assert words == saved_tokenizers(TINY)[0]("a red star moves right").input_ids
    vae = codec.autoencoder()
    vae.load_state_dict(state.load(folder / "decoder.pt")["model"])
    found = decoder.measure(vae, cache.codec(folder))
    assert found["synthetic"] > found["synthetic linear"]
    nets = [transformer.network(folder, direction) for direction in (samples.REVERSE, samples.FORWARD)]
    assert not torch.equal(*(net.transformer.proj_out.weight for net in nets))
    adopt.adopt(TINY, folder)  # changes nothing that is there
    assert state.load(folder / "reverse.pt")["step"] == 0


@pytest.mark.slow
def test_it_learns_on_and_the_best_is_exported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer, "CHECKED", 1)
    monkeypatch.setattr(transformer, "CHECKED_BATCH", 2)
    job = Job(folder, minutes=60, batch=2, ranks=1, direction=samples.REVERSE, peak=0.1)
    trainer = Trainer(job)
    before = trainer.check()
    assert before < 0.6  # untrained it is above 1
    assert trainer.learn() > 0
    trainer.step += 1
    trainer.keep()
    again = Trainer(job)
    assert again.step == 1
    assert again.check() == pytest.approx(trainer.least, abs=1e-5)
    assert again.learn() == pytest.approx(trainer.learn(), rel=1e-4)  # the same batch from the same state

    trainer.least = 0.0
    kept = best(folder, "reverse").read_bytes()
    trainer.keep()  # worse than the best
    assert best(folder, "reverse").read_bytes() == kept
    shipped = transformer.network(folder, samples.REVERSE).transformer.proj_out.weight
    assert torch.equal(shipped, state.load(best(folder, "reverse"))["model"]["transformer.proj_out.weight"])


@pytest.mark.slow
def test_the_decoder_learns_from_what_the_networks_draw(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "BATCH", 2)
    monkeypatch.setattr(drawn, "STEPS", 4)
    monkeypatch.setattr(decoder, "DRAWN", 1.0)
    drawn.fill(folder, 1)
    (pairs,) = drawn.known(folder).values()
    assert pairs.made.shape == pairs.true.shape
    near = (pairs.made - pairs.true).float().square().mean()
    other = (pairs.made - pairs.true.roll(len(pairs.true) // 2, 0)).float().square().mean()
    assert near < other  # drawn from the same surroundings, not the same thing
    vae = codec.autoencoder()
    vae.load_state_dict(state.load(folder / "decoder.pt")["model"])
    latents, pictures = decoder.Lessons(cache.codec(folder), drawn.known(folder), vae, ((48, 80),)).batch(0)
    assert latents.shape == (decoder.BATCH, 16, 1, 6, 10)
    assert pictures.shape == (decoder.BATCH, 3, 1, 48, 80)
