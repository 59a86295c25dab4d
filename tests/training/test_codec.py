"""The written-down encoder is the linear code, also for whole clips and with float16 weights."""

import pytest
import torch

from training import codec, decoder, world


@pytest.fixture(scope="module")
def code() -> codec.Codec:
    scenes = [world.scene("codec", k, (64, 64)) for k in range(60)]
    return codec.fit(torch.cat([world.render(s, torch.zeros(1)) for s in scenes]))


def test_the_encoder_is_the_code(code: codec.Codec) -> None:
    vae = codec.autoencoder()
    codec.install(code, vae)
    vae.half().float()
    frames = world.render(world.scene("held", 2, (48, 80), "right"), torch.arange(13.0))
    with torch.no_grad():
        made = vae.encode(frames.transpose(0, 1)[None]).latent_dist.mode()[0].transpose(0, 1)
        last = vae.encode(frames[-1:].transpose(0, 1)[None]).latent_dist.mode()[0].transpose(0, 1)
    assert (made - code.clip(frames)).square().mean() < 1e-3
    assert (last - made[-1:]).square().mean() < 1e-5  # a moment, whatever came before it
    assert (codec.installed(vae).clip(frames) - made).square().mean() < 1e-5


def test_latents_have_unit_variance_and_decode_back(code: codec.Codec) -> None:
    pictures = torch.cat([world.render(world.scene("codec", k, (64, 64)), torch.zeros(1)) for k in range(60)])
    latents = code.encode(pictures)
    assert float(latents.var()) == pytest.approx(1, abs=0.02)
    assert decoder.decibels(code.decode(latents), pictures) > 24


def test_the_decoder_starts_as_a_blurred_picture(code: codec.Codec) -> None:
    vae = codec.autoencoder()
    decoder.start(code, vae)
    pictures = torch.cat([world.render(world.scene("codec", k, (64, 64)), torch.zeros(1)) for k in range(4)])
    with torch.no_grad():
        frames = vae.decode(code.encode(pictures)[:, :, None]).sample[:, :, 0]
    assert decoder.decibels(frames.clamp(-1, 1), pictures) > 13


def test_frames_between_latents_lie_on_the_line(code: codec.Codec) -> None:
    vae = codec.autoencoder()
    decoder.start(code, vae)
    decoder.glide(vae)
    upsamplers = [block.upsamplers[0] for block in vae.decoder.up_blocks if block.upsamplers]
    doubling = [upsampler for upsampler in upsamplers if upsampler.upsample_factor[0] == 2]
    assert len(doubling) == 2
    for upsampler in doubling:
        latents = torch.randn(1, upsampler.conv.conv.in_channels, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            alone = torch.cat([upsampler(latents[:, :, k : k + 1]) for k in range(3)], 2)
            made = upsampler(latents)
        assert torch.allclose(made[:, :, ::2], alone, atol=1e-5)
        assert torch.allclose(made[:, :, 1::2], (alone[:, :, 1:] + alone[:, :, :-1]) / 2, atol=1e-5)


def test_flat_convolutions_agree_with_the_official_ones(code: codec.Codec) -> None:
    vae = codec.autoencoder()
    decoder.start(code, vae)
    latents = torch.randn(1, 16, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        official = vae.decoder(latents)
        with decoder.flat():
            quick = vae.decoder(latents)
    assert torch.allclose(official, quick, atol=1e-4)
