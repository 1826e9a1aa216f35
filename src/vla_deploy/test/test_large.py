# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Networks larger than the memory that they may use."""

import numpy as np
import torch
from conftest import humanoid_reference

from vla_deploy.architectures import humanoid_vla
from vla_deploy.commands import benchmark
from vla_deploy.runners import EagerRunner, PartitionedRunner, resident_mb
from vla_models.network.humanoid_vla import HumanoidVLAConfig
from vla_models.network.layers import checkpoint_activations

LARGE = {'image_size': 64, 'vision': 'transformer', 'vision_layers': 4, 'head': 'mlp'}


def test_a_model_four_times_its_budget_gives_the_very_same_answers():
    reference = humanoid_reference(**LARGE)
    inputs = dict(zip(reference.inputs, (x.numpy() for x in reference.sample(1)), strict=True))
    whole = resident_mb(reference.module)
    runner = PartitionedRunner(reference, whole / 4)
    try:
        assert 0 < runner.resident_mb <= whole / 4 and runner.places['disk'] > 2
        for _ in range(2):  # what was fetched went back
            np.testing.assert_array_equal(runner.run(inputs), EagerRunner(reference).run(inputs))
            assert resident_mb(runner._module) == runner.resident_mb
    finally:
        runner.close()
    assert resident_mb(reference.module) == whole


def test_the_benchmark_reports_the_cost_of_a_budget(bundles, observed, json_of, capsys):
    arguments = [str(bundles['act']), *observed]
    found = json_of(benchmark.main, *arguments, '--rounds', 2, '--budget', 0.1)
    eager, within, _ = found['bundles']
    assert within['name'] == 'within 0.1 MB' and within['cosine'] > 0.999999
    assert within['size_mb'] <= 0.1 < eager['size_mb']
    assert benchmark.main([*arguments, '--budget', '0.001']) == 2
    assert '--budget: found 0.001 MB, wanted room for the largest' in capsys.readouterr().err


def test_recomputing_gives_the_same_gradients_and_keeps_less():
    found = []
    for less in (False, True):
        torch.manual_seed(0)
        module = humanoid_vla(**HumanoidVLAConfig(**LARGE).to_dict())
        if less:
            assert checkpoint_activations(module) >= 8
        kept = [0]

        def keep(tensor, kept=kept):
            kept[0] += tensor.numel() * tensor.element_size()
            return tensor

        given = (torch.ones(2, 3, 64, 64), torch.ones(2, 32), torch.ones(2, 24).long())
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = module(*given, torch.ones(2, 2)).square().mean()
        loss.backward()
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        found.append((kept[0], torch.cat([g.flatten() for g in gradients])))
    (before, wanted), (after, same) = found
    assert after < 0.8 * before
    torch.testing.assert_close(same, wanted, rtol=1e-4, atol=1e-6)
