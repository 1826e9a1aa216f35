# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""The interface of all heads, and the properties of each."""

import math

import pytest
import torch

from vla_models.network.heads import HEADS, HeadShape

SHAPE = HeadShape(context=6, text=4, joints=3, horizon=8, width=32, layers=1, heads=2, steps=4)
ONES = torch.ones(SHAPE.horizon, SHAPE.joints)


def made(name: str):
    torch.manual_seed(0)
    return HEADS[name](SHAPE)


def inputs(batch: int):
    torch.manual_seed(1)
    return tuple(torch.randn(batch, n) for n in (SHAPE.context, SHAPE.text, SHAPE.joints, 2))


def test_all_heads_that_the_configuration_names_are_there():
    assert set(HEADS) == {'mlp', 'gaussian', 'transformer', 'flow', 'diffusion'}


@pytest.mark.parametrize('name', sorted(HEADS))
def test_a_head_gives_the_same_chunk_for_the_same_input(name):
    head = made(name).eval()
    with torch.no_grad():
        first, second = head(*inputs(2)), head(*inputs(2))
    assert first.shape == (2, SHAPE.horizon, SHAPE.joints)
    assert torch.equal(first, second)


@pytest.mark.parametrize('name', sorted(HEADS))
def test_samples_of_a_batch_are_independent(name):
    head = made(name).eval()
    given = inputs(3)
    with torch.no_grad():
        assert torch.allclose(head(*given)[1:2], head(*(t[1:2] for t in given)), atol=1e-5)


@pytest.mark.parametrize('name', sorted(HEADS))
def test_a_head_learns_a_goal_that_the_context_names(name):
    """Two contexts, two goals: after some steps the head acts closer to the right one than to the
    other, at the end of the chunk."""
    head = made(name)
    context = torch.eye(SHAPE.context)[:2].repeat(32, 1)
    goal = torch.tensor([[1.0], [-1.0]]).repeat(32, 1)[:, None].expand(-1, 8, 3)
    zeros = (torch.zeros(64, SHAPE.text), torch.zeros(64, SHAPE.joints), torch.zeros(64, 2))
    optimiser = torch.optim.Adam(head.parameters(), 5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = head.loss(context, *zeros, goal, ONES)
        assert loss.shape == (64,)
        loss.mean().backward()
        optimiser.step()
    with torch.no_grad():
        acted = head(context, *zeros)[:, -1]
    assert (acted[0::2] > 0.5).all() and (acted[1::2] < -0.5).all()


@pytest.mark.parametrize('name', sorted(HEADS))
def test_every_parameter_has_a_gradient(name):
    head = made(name)
    head.loss(*inputs(4), torch.randn(4, 8, 3), ONES).mean().backward()
    untaught = [n for n, p in head.named_parameters() if p.grad is None]
    assert untaught == []


def test_the_mlp_begins_near_the_current_posture_and_its_share_decays():
    gate = made('mlp').gate.detach()
    assert gate[0, 0] > 0.8 and gate[-1, 0] < 0.25


def test_the_mlp_swings_with_the_phase_as_the_words_decide():
    head = made('mlp').eval()
    torch.nn.init.normal_(head.swing.weight)
    context, text, current, phase = inputs(1)
    with torch.no_grad():
        middle = head(context, text, current, torch.zeros(1, 2))
        there = head(context, text, current, phase) - middle
        back = head(context, text, current, -phase) - middle
    assert torch.allclose(there, -back, atol=1e-5) and there.abs().max() > 0.1


def test_the_gaussian_head_has_a_larger_deviation_where_demonstrations_disagree():
    """Joint 0 is demonstrated exactly, joint 1 with a deviation of 0.5; it learns both."""
    head = made('gaussian')
    given = tuple(torch.zeros(64, n) for n in (SHAPE.context, SHAPE.text, SHAPE.joints, 2))
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for step in range(300):
        optimiser.param_groups[0]['lr'] = 1e-2 if step < 150 else 1e-3
        chunk = torch.zeros(64, 8, 3)
        chunk[:, :, 1] = 0.5 * torch.randn(64, 8, generator=generator)
        optimiser.zero_grad()
        head.loss(*given, chunk, ONES).mean().backward()
        optimiser.step()
    with torch.no_grad():
        deviation = head.deviation(*given[:3]).mean((0, 1))
    assert max(deviation[0], deviation[2]) < 0.8 * deviation[1]
    assert 0.3 < deviation[1] < 0.7


def test_the_gaussian_loss_is_the_negative_log_likelihood():
    head = made('gaussian')
    given, chunk = inputs(2), torch.randn(2, 8, 3)
    with torch.no_grad():
        normal = torch.distributions.Normal(head(*given), head.deviation(*given[:3]))
        wanted = -normal.log_prob(chunk).mean((1, 2))
        assert torch.allclose(head.loss(*given, chunk, ONES), wanted, atol=1e-4)


def test_the_autoregressive_head_does_not_see_the_steps_that_it_predicts():
    head = made('transformer').eval()
    context = torch.randn(1, SHAPE.context)
    past = torch.randn(1, 8, 3)
    changed = past.clone()
    changed[:, 5:] += 1.0
    with torch.no_grad():
        before, after = head._next(context, past), head._next(context, changed)
    assert torch.allclose(before[:, :5], after[:, :5], atol=1e-6)
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_the_flow_follows_a_constant_velocity_to_its_end():
    """Where the learned velocity is the same everywhere, Euler steps are exact."""
    head = made('flow').eval()
    with torch.no_grad():
        head.denoiser.last.weight.zero_()
        head.denoiser.last.bias.fill_(0.7)
        acted = head(*(torch.zeros(1, n) for n in (6, 4, 3, 2)))
    assert torch.allclose(acted, torch.full((1, 8, 3), 0.7), atol=1e-6)


def test_diffusion_ends_at_the_chunk_that_the_network_names():
    head = made('diffusion').eval()
    with torch.no_grad():
        head.denoiser.last.weight.zero_()
        head.denoiser.last.bias.fill_(-0.4)
        acted = head(*(torch.zeros(1, n) for n in (6, 4, 3, 2)))
    assert torch.allclose(acted, torch.full((1, 8, 3), -0.4), atol=1e-6)
    assert math.isfinite(float(acted.sum()))
