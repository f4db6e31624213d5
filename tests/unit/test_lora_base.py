"""Base models: a single file gives the same parts as its folder, with the shipped configs, without a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.single_files import single_file
from tests.tiny_models import tiny_sd, tiny_sdxl
from worker.context import TaskError
from worker.lora.base import load_base, of_single_file
from worker.lora.published import write_configs


def weights(part: Any) -> dict[str, Any]:
    return part.state_dict()


def widen_second_encoder(folder: Path) -> None:
    """Give it a width of its own: the reader of single files tells the two encoders apart by their width."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig.from_pretrained(folder / "text_encoder_2")
    config.hidden_size = 40
    CLIPTextModelWithProjection(config).save_pretrained(folder / "text_encoder_2")


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_single_file_gives_the_weights_of_its_folder(family: str, tmp_path: Path) -> None:
    import torch

    from worker.images.loading import quiet_libraries

    folder = (tiny_sd if family == "sd15" else tiny_sdxl)(tmp_path / "folder")
    if family == "sdxl":
        widen_second_encoder(folder)
    path = single_file(folder, tmp_path / "model.safetensors")
    whole = load_base(folder, family=family, dtype=torch.float32)
    with quiet_libraries():
        single = of_single_file(path, folder, family=family, dtype=torch.float32)
    assert len(single.text_encoders) == len(single.tokenizers) == (2 if family == "sdxl" else 1)
    pairs = [(whole.unet, single.unet), (whole.vae, single.vae)]
    pairs += zip(whole.text_encoders, single.text_encoders, strict=True)
    for ours, theirs in pairs:
        expected, found = weights(ours), weights(theirs)
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (single.native_px, single.multiple_px) == (64, 16)
    assert single.scheduler_config["beta_schedule"] == "scaled_linear"


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    import numpy as np
    import torch
    from safetensors.numpy import save_file

    save_file({"model.diffusion_model.x": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(TaskError, match="cannot be read as a sd15 model") as raised:
        load_base(tmp_path / "x.safetensors", family="sd15", dtype=torch.float32)
    assert raised.value.failure.code == "weights_corrupt"


def test_a_file_that_lacks_one_weight_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.numpy import load_file, save_file

    folder = tiny_sd(tmp_path / "sd")
    tensors = load_file(single_file(folder, tmp_path / "sd.safetensors"))
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    save_file(tensors, tmp_path / "cut.safetensors")
    with pytest.raises(TaskError, match="cannot be read as a sd15 model"):
        of_single_file(tmp_path / "cut.safetensors", folder, family="sd15", dtype=torch.float32)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_shipped_tokenizer_speaks_clips_vocabulary(family: str, tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    folder = write_configs(family, tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    # Source: the ids that OpenAI's CLIP gives to this text.
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    padded = tokenizer("cat", padding="max_length", max_length=77).input_ids
    assert (len(padded), padded[-1]) == (77, 49407)
    if family == "sdxl":
        second = CLIPTokenizer.from_pretrained(folder / "tokenizer_2", local_files_only=True)
        assert second("cat", padding="max_length", max_length=77).input_ids[-1] == 0
    index = json.loads((folder / "model_index.json").read_text())
    assert all((folder / name).is_dir() for name, told in index.items() if isinstance(told, list) and told[0])
