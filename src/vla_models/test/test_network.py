# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shapes of the network and what each part claims."""

from __future__ import annotations

import pytest
import torch

from vla_models.network.fusion import LanguageQueriedAttention
from vla_models.network.heads import MlpHead
from vla_models.network.humanoid_vla import HumanoidVLA, HumanoidVLAConfig
from vla_models.network.text import TextEncoder
from vla_models.network.vision import ConvolutionalEncoder, grid_coordinates


def inputs(batch: int, config: HumanoidVLAConfig):
    torch.manual_seed(0)
    return (
        torch.rand(batch, 3, config.image_size, config.image_size),
        torch.randint(2, config.vocabulary, (batch, config.tokens)),
        torch.randn(batch, config.joints),
        torch.randn(batch, 2),
    )


def test_a_chunk_has_one_target_for_each_joint_and_step():
    config = HumanoidVLAConfig()
    assert HumanoidVLA(config)(*inputs(2, config)).shape == (2, 16, 17)


def test_the_chunk_depends_on_image_words_state_and_phase():
    config = HumanoidVLAConfig()
    torch.manual_seed(1)
    model = HumanoidVLA(config).eval()
    given = inputs(1, config)
    with torch.no_grad():
        reference = model(*given)
        for i in range(4):
            changed = [t.clone() for t in given]
            changed[i] = torch.flip(changed[i], dims=[-1])
            assert not torch.allclose(model(*changed), reference, atol=1e-6)


def test_an_unknown_head_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="found 'magic', wanted one of.*mlp"):
        HumanoidVLA(HumanoidVLAConfig(head='magic'))


def test_padding_does_not_change_what_was_read():
    torch.manual_seed(0)
    encoder = TextEncoder(50, 8, 32, 4, 1).eval()
    short = torch.tensor([[5, 6, 7, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        before = encoder(short)
        encoder.embedding.weight[0] = 100.0
        assert torch.allclose(encoder(short), before, atol=1e-5)


def test_an_empty_instruction_is_finite():
    assert torch.isfinite(TextEncoder(50, 8, 32, 4, 1)(torch.zeros(1, 8, dtype=torch.long))).all()


def test_vision_keeps_a_cell_for_every_four_pixels():
    assert ConvolutionalEncoder(16)(torch.zeros(1, 3, 112, 112)).shape == (1, 28 * 28, 16)


def test_a_keypoint_lies_where_the_words_find_their_feature():
    r"""
    features: 0 everywhere, but 1 at one cell. The soft-argmax must give that cell's centre.
    """
    attention = LanguageQueriedAttention(4, 4, side=7, keypoints=1)
    with torch.no_grad():
        attention.query.weight.copy_(torch.eye(4) * 40)
        attention.query.bias.zero_()
        attention.key.weight.copy_(torch.eye(4))
        attention.key.bias.zero_()
    features = torch.zeros(1, 49, 4)
    features[0, 10, 2] = 1.0
    words = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    place, answer = attention(features, words)
    assert torch.allclose(place[0, 0], grid_coordinates(7)[10], atol=1e-3)
    assert answer[0, 0, 2] > 0.99


def test_the_head_begins_near_the_current_posture_and_lets_go_of_it():
    head = MlpHead(4, 3, 16, 8)
    gate = head.gate.detach()
    assert gate[0, 0] > 0.8 and gate[-1, 0] < 0.05
    assert head(torch.zeros(2, 4), torch.zeros(2, 3), torch.zeros(2, 2)).shape == (2, 16, 3)
