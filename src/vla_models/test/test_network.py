# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Shapes of the network and properties of its parts."""

import pytest
import torch

from vla_models.network.encoders import VISION, TextEncoder, grid_coordinates
from vla_models.network.heads import HEADS
from vla_models.network.humanoid_vla import Fusion, HumanoidVLA, HumanoidVLAConfig
from vla_models.network.layers import Attention
from vla_models.network.spatial_attention import Landmarks, LanguageQueriedAttention, Locator

TINY = {
    'image_size': 32,
    'vision_width': 16,
    'hidden_size': 32,
    'heads': 2,
    'fusion_layers': 1,
    'head_width': 32,
    'head_layers': 1,
    'vision_heads': 2,
}


def tiny(**given) -> HumanoidVLA:
    torch.manual_seed(1)
    return HumanoidVLA(HumanoidVLAConfig.small(**{**TINY, **given})).eval()


def inputs(batch: int, config: HumanoidVLAConfig):
    torch.manual_seed(0)
    return (
        torch.rand(batch, 3, config.image_size, config.image_size),
        torch.randint(2, config.vocabulary, (batch, config.tokens)),
        torch.randn(batch, config.history * config.joints),
        torch.randn(batch, 2),
    )


def test_the_card_is_a_whole_humanoid_before_a_large_image():
    card = HumanoidVLAConfig()
    assert (card.joints, card.action_dim, card.image_size) == (32, 32, 224)
    assert (card.vision, card.head) == ('transformer', 'flow')
    assert HumanoidVLAConfig(**card.to_dict()) == card


@pytest.mark.parametrize('vision', sorted(VISION))
def test_a_chunk_has_one_target_for_each_moved_joint_and_step(vision):
    model = tiny(vision=vision, joints=9, action_dim=4, moved=(1, 2, 5, 8), camera=(0,))
    with torch.no_grad():
        assert model(*inputs(2, model.config)).shape == (2, 16, 4)


@pytest.mark.parametrize(
    ('head', 'vision'),
    [*((head, 'convolutional') for head in sorted(HEADS)), ('flow', 'transformer')],
)
def test_torchscript_compiles_it_and_answers_the_same_for_any_batch(head, vision):
    model = tiny(vision=vision, head=head, joints=6, action_dim=6, head_steps=2, horizon=5)
    with torch.no_grad():
        compiled = torch.jit.freeze(torch.jit.script(model))
        for batch in (1, 3):
            given = inputs(batch, model.config)
            torch.testing.assert_close(compiled(*given), model(*given), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('history', [1, 3])
def test_the_chunk_depends_on_image_words_state_and_phase(history):
    model = tiny(joints=6, action_dim=6, history=history)
    torch.nn.init.normal_(model.head.swing.weight)
    given = inputs(1, model.config)
    with torch.no_grad():
        reference = model(*given)
        for i in range(4):
            changed = [t.clone() for t in given]
            changed[i] = torch.flip(changed[i], dims=[-1])
            assert not torch.allclose(model(*changed), reference, atol=1e-6)


def test_older_states_matter_and_their_order_too():
    model = tiny(joints=6, action_dim=6, history=2)
    image, ids, state, phase = inputs(1, model.config)
    with torch.no_grad():
        reference = model(image, ids, state, phase)
        older, newest = state.clone(), state.clone()
        older[:, 6:] += 1.0
        newest[:, :6] += 1.0
        assert not torch.allclose(model(image, ids, older, phase), reference, atol=1e-6)
        known = model.understand(model.vision(image), model.text(ids), newest, phase)
        assert torch.equal(known.current, newest[:, :6])


@pytest.mark.parametrize(('key', 'wanted'), [('head', 'mlp'), ('vision', 'transformer')])
def test_an_unknown_part_is_rejected_with_the_known_ones(key, wanted):
    with pytest.raises(ValueError, match=f"{key}: found 'magic', wanted one of.*{wanted}"):
        HumanoidVLAConfig(**{key: 'magic'})


def test_a_wrong_number_of_moved_joints_is_rejected():
    with pytest.raises(ValueError, match='moved: found 2 joints, wanted 32'):
        HumanoidVLAConfig(moved=(0, 1))


def test_many_instructions_on_one_image_give_the_same_as_each_alone():
    model = tiny(joints=6, action_dim=6)
    _, ids, state, phase = inputs(6, model.config)
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        text = model.text(ids)
        together = model.act(model.understand(model.vision(image), text, state, phase))
        alone = model(image.repeat_interleave(3, dim=0), ids, state, phase)
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_true_target_takes_the_place_of_the_image():
    """What is imagined depends on the target, and not at all where it is unknown."""
    model = tiny(joints=6, action_dim=6)
    _, ids, state, phase = inputs(1, model.config)
    with torch.no_grad():
        text = model.text(ids)

        def act(target):
            return model.act(model.imagine(text, state, phase, torch.tensor([target])))

        nowhere = float('nan')
        assert not torch.allclose(act([0.1, 0.0, 0.0]), act([0.5, 0.2, 0.1]), atol=1e-6)
        assert torch.isfinite(act([nowhere] * 3)).all()
        assert not torch.allclose(act([nowhere] * 3), act([0.0, 0.0, 0.0]), atol=1e-6)


# --- parts ---------------------------------------------------------------------------------------


def test_attention_is_zero_where_the_mask_forbids():
    torch.manual_seed(0)
    attention = Attention(8, 2)
    tokens = torch.randn(1, 4, 8)
    causal = torch.ones(1, 4, 4).tril().bool()
    changed = tokens.clone()
    changed[:, 3] += 1.0
    with torch.no_grad():
        before, after = attention(tokens, causal), attention(changed, causal)
    assert torch.allclose(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])


def test_a_width_that_the_heads_cannot_share_is_rejected():
    with pytest.raises(ValueError, match='width 10 is no multiple of 4 heads'):
        Attention(10, 4)


def test_padding_does_not_change_the_encoding():
    torch.manual_seed(0)
    encoder = TextEncoder(50, 8, 32, 4, 1).eval()
    short = torch.tensor([[5, 6, 7, 0, 0, 0, 0, 0]])
    with torch.no_grad():
        before = encoder(short)
        encoder.embedding.weight[0] = 100.0
        assert torch.allclose(encoder(short), before, atol=1e-5)


def test_an_empty_instruction_is_finite():
    assert torch.isfinite(TextEncoder(50, 8, 32, 4, 1)(torch.zeros(1, 8, dtype=torch.long))).all()


@pytest.mark.parametrize(('vision', 'stride'), [('convolutional', 4), ('transformer', 8)])
def test_an_encoder_gives_a_cell_for_every_stride_pixels(vision, stride):
    encoder = VISION[vision](64, 16, 1, 2).eval()
    assert encoder.side == 64 // stride
    assert encoder(torch.zeros(1, 3, 64, 64)).shape == (1, encoder.side**2, 16)
    with pytest.raises(ValueError, match='image_size: found 60, wanted a multiple of 8'):
        VISION[vision](60, 16, 1, 2)


def test_convolutional_features_move_with_the_image():
    torch.manual_seed(0)
    encoder = VISION['convolutional'](64, 8, 1).eval()
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 24:32, 24:32] = 1.0
    with torch.no_grad():
        here = encoder(image).reshape(16, 16, 8)
        there = encoder(image.roll(8, dims=3)).reshape(16, 16, 8)
    assert torch.allclose(here[4:12, 4:10], there[4:12, 6:12], atol=1e-5)


def peaked_attention(side: int) -> LanguageQueriedAttention:
    """Words that are the unit vector of a feature select that feature, sharply."""
    attention = LanguageQueriedAttention(4, 4, side=side, keypoints=1)
    with torch.no_grad():
        attention.query.weight.copy_(torch.eye(4) * 40)
        attention.query.bias.zero_()
        attention.key.weight.copy_(torch.eye(4))
        attention.key.bias.zero_()
    return attention


def test_a_keypoint_lies_where_the_words_find_their_feature():
    r"""
    features: 0 everywhere, but 1 at one cell. The soft-argmax must give that cell's centre.
    """
    features = torch.zeros(1, 49, 4)
    features[0, 10, 2] = 1.0
    found = peaked_attention(7)(features, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    assert torch.allclose(found.place[0, 0], grid_coordinates(7)[10], atol=1e-3)
    assert found.answer[0, 0, 2] > 0.99
    assert found.spread.max() < 0.05


def test_a_keypoint_between_two_cells_lies_between_them_and_is_wide():
    features = torch.zeros(1, 49, 4)
    features[0, [10, 11], 2] = 1.0
    found = peaked_attention(7)(features, torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
    assert torch.allclose(found.place[0, 0], grid_coordinates(7)[10:12].mean(0), atol=1e-3)
    assert float(found.spread[0, 0, 0].detach()) == pytest.approx(1 / 7, abs=1e-3)


def test_landmarks_are_places_and_a_mean():
    landmarks = Landmarks(4, 7, 3)
    found = landmarks(torch.randn(2, 49, 4))
    assert found.shape == (2, landmarks.width) and landmarks.width == 4 + 6
    assert found[:, :6].abs().max() <= 1.0


def test_the_locator_answers_in_the_units_of_the_data():
    locator = Locator(5, 8)
    locator.mean.copy_(torch.tensor([0.4, 0.0, 0.1]))
    locator.scale.zero_()
    target, seen = locator(torch.randn(3, 5))
    assert torch.allclose(target, locator.mean.expand(3, 3)) and seen.shape == (3,)


def test_fusion_works_without_keypoints():
    fusion = Fusion(16, 4, state=5, history=2, keypoints=3, heads=2, layers=1)
    given = (torch.randn(2, 16), torch.randn(2, 2, 5), torch.randn(2, 2), torch.randn(2, 4))
    assert fusion(*given, torch.randn(2, 3, 8)).shape == (2, 16)
    assert fusion(*given, None).shape == (2, 16)
