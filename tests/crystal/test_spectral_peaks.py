import numpy as np
import pytest
import torch

from equisym.crystal import PowerSpectrum
from equisym.crystal.indexing import _promised
from equisym.crystal.spectral_peaks import SpectralPeaks


def waves(height, width, frequencies, amplitudes):
    y, x = np.mgrid[:height, :width]
    image = sum(a * np.cos(2 * np.pi * (u * x + v * y)) for (u, v), a in zip(frequencies, amplitudes, strict=True))
    return torch.from_numpy(np.asarray(image, dtype=np.float32))


def test_places_and_powers_of_waves_are_found_to_a_hundredth():
    frequencies, amplitudes = [(0.1234, 0.0377), (0.21, -0.4377), (0.0, 0.3)], [1.0, 0.5, 0.25]
    image = waves(200, 256, frequencies, amplitudes) + 0.01 * torch.randn(200, 256)
    peaks = PowerSpectrum(image).maxima()[np.arange(3)]
    assert np.abs(peaks.position - frequencies).max() * 256 < 0.02
    assert peaks.power == pytest.approx(np.square(amplitudes) / np.sum(np.square(amplitudes)), rel=0.05)


def test_only_a_peak_stands_out_of_noise_and_of_the_streaks_of_a_jittering_scan():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:192, :192]
    jittered = np.cos(2 * np.pi * 0.11 * (x + rng.standard_normal((192, 1)))) + 0.3 * rng.standard_normal((192, 192))
    spectrum = PowerSpectrum(torch.from_numpy(jittered + 0.3 * np.cos(2 * np.pi * (0.2 * x + 0.07 * y))))
    peaks = spectrum.maxima()[np.arange(60)]
    sharp = peaks.position[spectrum.sharpness(peaks.position) > 30]
    away = np.minimum(np.linalg.norm(sharp - (0.2, 0.07), axis=1), np.linalg.norm(sharp - (0.11, 0), axis=1)) * 192
    assert len(sharp) >= 1
    assert away.max() < 0.5


def test_pixels_out_of_the_mask_do_not_count():
    image = waves(160, 160, [(0.11, 0.05)], [1.0])
    mask = torch.zeros(160, 160, dtype=torch.bool)
    mask[:, :120] = True
    spoiled = torch.where(mask, image, waves(160, 160, [(0.3, 0.2)], [5.0]))
    spectrum = PowerSpectrum(spoiled, mask)
    peaks = spectrum.maxima()
    assert np.abs(peaks.position[0] - (0.11, 0.05)).max() * 160 < 0.1
    strange = np.linalg.norm(peaks.position - (0.3, 0.2), axis=1) * 160 < 2
    assert peaks.power[strange].sum() < 1e-4


def test_what_edges_promise_beyond_nyquist_is_told_by_the_peaks_toward_it():
    position = np.array([(0.1, 0.0), (0.25, 0.0), (0.3, 0.1)])
    peaks = SpectralPeaks(position, np.array([9.0, 0.2, 0.1]), np.full(3, np.inf))
    assert _promised(peaks) == pytest.approx(0.2 * 0.25**2)
