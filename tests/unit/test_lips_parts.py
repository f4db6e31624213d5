"""The parts of lip-sync: what the network hears and sees, where its picture goes, which face is followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.filmed import FPS, RATE_HZ, babble, face_picture, film, plain_picture
from worker.lips.crop import face_box, network_face, put_back
from worker.lips.footage import footage, shown_order
from worker.lips.mel import MELS, STEPS, mel_bands, mel_spectrogram, mel_windows
from worker.lips.network import ENTRIES, wav2lip
from worker.lips.redrive import speaking as warped
from worker.lips.teeth import teeth_of, widest_open
from worker.lips.track import Track, follow_face, smoothed
from worker.lips.wav2lip import speaking
from worker.speech.timing import Speech
from worker.talking_head.face import FaceReader


def test_the_network_has_the_size_and_names_of_the_published_one() -> None:
    network = wav2lip()
    state = network.state_dict()
    assert len(state) == ENTRIES
    assert sum(tensor.numel() for tensor in network.parameters()) == 36_298_035
    assert state["face_encoder_blocks.2.3.conv_block.0.weight"].shape == (64, 64, 3, 3)
    assert state["audio_encoder.12.conv_block.1.running_mean"].shape == (512,)
    assert state["face_decoder_blocks.6.0.conv_block.0.weight"].shape == (160, 64, 3, 3)
    assert state["output_block.1.weight"].shape == (3, 32, 1, 1)


def test_the_network_listens_and_looks() -> None:
    import torch

    torch.manual_seed(0)
    network, faces, mel = wav2lip(), torch.rand(2, 6, 96, 96), torch.rand(2, 1, 80, 16) * 8 - 4
    with torch.inference_mode():
        made = network(mel, faces)
        other_sound, other_face = network(mel - 2, faces), network(mel, faces.flip(0))
    assert made.shape == (2, 3, 96, 96)
    assert 0 <= float(made.min()) < float(made.max()) <= 1
    assert float((made - other_sound).abs().max()) > 0
    assert float((made - other_face).abs().max()) > 0


def test_mel_bands_are_slaneys() -> None:
    """Corner figures of `librosa.filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600)`, librosa 0.11."""
    bands = mel_bands()
    assert bands.shape == (MELS, 401)
    assert bands.max() == pytest.approx(0.0268788, abs=1e-6)
    assert [int(bands[row].argmax()) for row in (0, 20, 40, 79)] == [5, 40, 86, 366]


def test_a_tone_sounds_in_its_band_and_silence_is_the_floor() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    mel = mel_spectrogram((0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32))
    assert mel.shape == (MELS, 1 + RATE_HZ // 200)
    assert int(mel[:, 40].argmax()) == int(mel_bands()[:, 50].argmax())  # 1000 Hz is bin 50
    assert (mel_spectrogram(np.zeros(RATE_HZ, np.float32)) == -4).all()


def test_windows_follow_the_pictures_and_stay_inside_the_sound() -> None:
    mel = np.tile(np.arange(100, dtype=np.float32), (MELS, 1))
    starts = mel_windows(mel, [0, 0.04, 0.5, 99.0])[:, 0, 0, 0]
    assert starts.tolist() == [0, 3, 40, 100 - STEPS]
    assert mel_windows(mel[:, :5], [0.0]).shape == (1, 1, MELS, STEPS)


def test_a_face_cut_out_and_put_back_is_the_same_picture() -> None:
    picture = face_picture(0)
    reader = FaceReader()
    points = reader.landmarks(picture, reader.detect(picture)[0]).points
    box = face_box(points, width=picture.shape[1], height=picture.shape[0])
    assert box is not None
    seen = network_face(picture, box)
    assert seen.shape == (6, 96, 96)
    assert (seen[:3, 48:] == 0).all()
    assert np.array_equal(seen[:3, :48], seen[3:, :48])
    assert seen[3].mean() < seen[5].mean()  # blue before red: skin
    again = picture.copy()
    put_back(again, box, points, seen[3:])
    assert np.abs(again.astype(int) - picture).mean() < 0.6
    put_back(again, box, points, np.ones((3, 96, 96), np.float32))
    changed = np.abs(again.astype(int) - picture).max(axis=2) > 0
    lips, eyes = points[[13, 14], :2].astype(int), points[[33, 263], :2].astype(int)
    assert all(changed[y, x] for x, y in lips)
    assert not any(changed[y, x] for x, y in eyes)
    changed[box.top : box.bottom, box.left : box.right] = False
    assert not changed.any()


def test_a_face_that_is_mostly_off_the_picture_is_left_alone() -> None:
    points = np.zeros((468, 3), np.float32)
    points[:, 0], points[:, 1] = np.linspace(-80, 20, 468), np.linspace(0, 100, 468)
    assert face_box(points, width=200, height=200) is None


def test_the_mouth_moves_when_the_sound_does() -> None:
    """A network that paints the loudness of its window: the paint follows the level of the sound with no lag."""
    import torch

    class Meter(torch.nn.Module):
        def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
            level = (mel.mean(dim=(1, 2, 3)) + 4) / 8
            return level[:, None, None, None].expand(len(faces), 3, 96, 96)

    count, samples = 50, babble(2.2)
    pictures = [face_picture(number) for number in range(count)]
    track, _ = follow_face(pictures, FaceReader())
    painted = speaking(iter([one.copy() for one in pictures]), smoothed(track), samples, RATE_HZ, fps=FPS,
                       network=Meter(), device="cpu")  # fmt: skip
    seen = [picture[int(y), int(x)].mean() for picture, (x, y) in zip(painted, track.points[:, 14, :2], strict=True)]
    mel = mel_spectrogram(samples).mean(axis=0)
    level = [mel[int(number * 3.2) : int(number * 3.2) + STEPS].mean() for number in range(count)]
    assert np.corrcoef(seen, level)[0, 1] > 0.98


def test_a_face_is_followed_lost_and_found_again() -> None:
    pictures = [plain_picture(number) if 10 <= number < 20 else face_picture(number) for number in range(30)]
    track, largest_px = follow_face(pictures, FaceReader())
    assert track.stretches() == [(0, 10), (20, 30)]
    assert largest_px > 80
    drift = np.diff(track.points[:10, 4, 0])  # the tip of the nose
    calm = np.diff(smoothed(track).points[:10, 4, 0])
    assert np.abs(np.diff(calm)).mean() < np.abs(np.diff(drift)).mean()
    assert np.array_equal(smoothed(track).seen, track.seen)


def test_pictures_run_back_and_forth_under_a_longer_sound(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", [plain_picture(number) for number in range(5)])
    seen = footage(tmp_path / "film.mp4")
    assert (seen.count, seen.fps, seen.width) == (5, FPS, 240)
    order = shown_order(seen, duration_s=13 / FPS)
    assert order.tolist() == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    assert shown_order(seen, duration_s=0.1).tolist() == [0, 1, 2, 3, 4]
    shown = list(seen.in_order(order, scratch=tmp_path))
    assert len(shown) == 13
    assert np.array_equal(shown[3], shown[5])
    assert not np.array_equal(shown[3], shown[4])
    assert list(tmp_path.iterdir()) == [tmp_path / "film.mp4"]


def test_a_single_picture_is_held(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", [plain_picture(0)])
    seen = footage(tmp_path / "film.mp4")
    order = shown_order(seen, duration_s=0.2)
    assert order.tolist() == [0, 0, 0, 0, 0]
    assert len(list(seen.in_order(order, scratch=tmp_path))) == 5


def test_the_persons_own_teeth_are_shown_where_the_film_hides_them() -> None:
    """A film that smiles once and is closed else: its teeth appear whenever the new sound opens the mouth."""
    reader, count = FaceReader(), 24
    smiling = [face_picture(number, width=400, height=340) for number in range(count)]
    track = smoothed(follow_face(smiling, reader)[0])
    silence = Speech(np.zeros(RATE_HZ, np.float32), RATE_HZ, (), (), "")
    closed = list(warped(iter([picture.copy() for picture in smiling]), track, silence, fps=FPS))
    closed[0] = smiling[0]
    film_track = smoothed(follow_face(closed, reader)[0])
    points = np.where(np.arange(count)[:, None, None] == 0, track.points, film_track.points)
    assert widest_open(Track(points)) == 0
    teeth = teeth_of(smiling[0], track.points[0])
    assert teeth is not None
    y, x = (track.points[0, [13, 14], :2].mean(axis=0)[::-1]).astype(int)
    assert teeth.opacity[y, x] > 0.5
    loud = Speech(np.tile(babble(1.0), 2), RATE_HZ, (), (), "")
    shown, drawn = (
        np.stack(list(warped(iter([one.copy() for one in closed]), film_track, loud, fps=FPS, teeth=kind)))
        for kind in (teeth, None)
    )
    box = np.concatenate([track.points[:, [61, 291], 0].mean(0), track.points[:, [0, 17], 1].mean(0)]).astype(int)
    mouths = [one[:, box[2] : box[3], box[0] : box[1]].min(axis=3) for one in (shown, drawn)]
    assert np.percentile(mouths[0], 97) > np.percentile(mouths[1], 97) + 10  # bright teeth, not a drawn hint
