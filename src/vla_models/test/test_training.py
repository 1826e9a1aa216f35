# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Training: same seed same weights, resume, lower loss, no pickle."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from vla_common.errors import ConfigError
from vla_models.dataset import EpisodeWriter, finalise
from vla_models.policy_description import describe, load_checkpoint
from vla_models.testing import SMALL_NETWORK, episode_of_noise, write_noise
from vla_models.training import BEST, CHECKPOINT, Trainer, TrainingOptions
from vla_models.training.checkpoint import load

SMALL = TrainingOptions(
    epochs=3,
    batch=4,
    threads=1,
    validation=0.25,
    warmup=0,
    imagined=8,
    learning_rate=5e-3,
    network=SMALL_NETWORK,
)


def weights(path) -> torch.Tensor:
    tensors, _ = load(path)
    return torch.cat([tensors[name].flatten().float() for name in sorted(tensors)])


@pytest.mark.parametrize('head', ['mlp', 'flow'])
def test_the_same_seed_gives_the_same_weights_also_after_a_kill(noise_dataset, tmp_path, head):
    """Killed in the middle of its second epoch, after a validation; ends with the very weights of
    a run that was left alone, the moments of the optimiser and the averages included."""
    network = {**SMALL_NETWORK, 'head': head}
    options = replace(SMALL, epochs=2, validate_every=4, network=network)
    whole = Trainer(noise_dataset, tmp_path / 'whole', options)
    whole.run()
    assert whole.curves['validation'][-1] < whole.curves['validation'][0]
    assert (tmp_path / 'whole' / 'loss.png').read_bytes()[:4] == b'\x89PNG'

    class KilledError(Exception):
        pass

    killed = Trainer(noise_dataset, tmp_path / 'parts', options)

    def kill(frames, loss):
        if killed.step == 10:
            raise KilledError

    with pytest.raises(KilledError):
        killed.run(advance=kill)
    again = Trainer(noise_dataset, tmp_path / 'parts', options)
    assert again.resumed and again.step == 8
    again.run()
    for name in (CHECKPOINT, BEST):
        assert torch.equal(weights(tmp_path / 'whole' / name), weights(tmp_path / 'parts' / name))
    assert again.curves == whole.curves


def test_ctrl_c_before_the_first_validation_keeps_the_steps_that_were_made(noise_dataset, tmp_path):
    whole = Trainer(noise_dataset, tmp_path / 'whole', SMALL)
    whole.run()
    stopped = Trainer(noise_dataset, tmp_path / 'parts', SMALL)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(advance=lambda *_: signal.raise_signal(signal.SIGINT))
    assert (stopped.step, stopped.curves['train']) == (1, [])
    assert signal.getsignal(signal.SIGINT) is before
    again = Trainer(noise_dataset, tmp_path / 'parts', SMALL)
    assert again.resumed and again.step == 1
    again.run()
    assert torch.equal(weights(tmp_path / 'whole' / BEST), weights(tmp_path / 'parts' / BEST))


def test_another_seed_gives_other_weights(noise_dataset, tmp_path):
    one = replace(SMALL, epochs=1)
    for seed in (0, 1):
        Trainer(noise_dataset, tmp_path / str(seed), replace(one, seed=seed)).run()
    assert not torch.equal(weights(tmp_path / '0' / BEST), weights(tmp_path / '1' / BEST))


def test_training_ends_when_validation_no_longer_improves(noise_dataset, tmp_path, monkeypatch):
    """The first validation is the best so far, then none is: two more and it is over."""
    trainer = Trainer(noise_dataset, tmp_path / 'run', replace(SMALL, epochs=50, patience=2))
    monkeypatch.setattr(trainer, 'validate', lambda: {'error': 0.1, 'total': 1.0})
    trainer.run()
    assert trainer.step == 3 * trainer.steps_per_epoch
    again = Trainer(noise_dataset, tmp_path / 'run', replace(SMALL, epochs=50, patience=2))
    again.run()
    assert again.step == trainer.step


def test_a_run_resumes_with_more_data_and_its_first_normalisation(noise_dataset, tmp_path, layout):
    first = Trainer(noise_dataset, tmp_path / 'run', replace(SMALL, epochs=1))
    first.run()
    writer = EpisodeWriter(noise_dataset, layout)
    for attempt in range(8, 12):
        writer.write(attempt, episode_of_noise(layout, attempt))
    finalise(noise_dataset)
    again = Trainer(noise_dataset, tmp_path / 'run', replace(SMALL, epochs=2))
    assert (again.resumed, len(again.frames)) == (True, 48)
    assert again.by.mean.tolist() == first.by.mean.tolist()
    assert again.best == float('inf')  # other validation episodes
    again.run()
    assert again.step > first.step


def test_a_run_can_begin_from_other_weights_and_freeze_parts(noise_dataset, tmp_path):
    one = replace(SMALL, epochs=1)
    Trainer(noise_dataset, tmp_path / 'first', one).run()
    given, about = load(tmp_path / 'first' / BEST)
    second = replace(
        one, init=str(tmp_path / 'first'), freeze=('vision', 'text'), seed=4, recompute=True
    )
    trainer = Trainer(noise_dataset, tmp_path / 'second', second)
    assert trainer.initialised == len(given)
    assert trainer.by.mean.tolist() == about['mean']
    trainer.run()
    now, _ = load(tmp_path / 'second' / BEST)
    for name in given:
        if name.startswith(('vision.', 'text.')):
            assert torch.equal(given[name], now[name]), name
    assert not torch.equal(given['head.gate'], now['head.gate'])
    with pytest.raises(ConfigError, match=r'none: \(file\): found nothing'):
        Trainer(noise_dataset, tmp_path / 'third', replace(one, init=str(tmp_path / 'none')))


def test_a_bundle_is_fine_tuned_with_its_weights_its_normalisation_and_its_words(
    noise_dataset, tmp_path
):
    first = Trainer(noise_dataset, tmp_path / 'first', replace(SMALL, epochs=1))
    first.run()
    model, about = load_checkpoint(tmp_path / 'first' / BEST)
    about['mean'] = [value + 0.125 for value in about['mean']]  # not what these data would give
    bundle = tmp_path / 'bundle'
    bundle.mkdir()
    (bundle / 'policy.yaml').write_text(yaml.safe_dump(describe(model.config, about, '1.0.0')))
    (bundle / 'tokenizer.json').write_bytes((tmp_path / 'first' / 'tokenizer.json').read_bytes())
    wrapped = {f'policy.{name}': value for name, value in model.state_dict().items()}
    save_file(wrapped, str(bundle / 'source.safetensors'))
    tuned = Trainer(noise_dataset, tmp_path / 'tuned', replace(SMALL, init=str(bundle)))
    assert tuned.initialised == len(wrapped)
    assert np.allclose(tuned.by.mean, about['mean'], atol=1e-6)
    assert torch.equal(tuned.model.head.gate, model.head.gate)


def test_weights_of_another_network_are_rejected(noise_dataset, tmp_path):
    save_file({'other.weight': torch.zeros(2)}, str(tmp_path / 'other.safetensors'))
    with pytest.raises(ConfigError, match=r'weights: found \[.other\.weight'):
        Trainer(
            noise_dataset,
            tmp_path / 'run',
            replace(SMALL, init=str(tmp_path / 'other.safetensors')),
        )


def test_a_pickle_is_not_a_checkpoint(tmp_path):
    torch.save({'model': torch.zeros(2)}, tmp_path / 'best.safetensors')
    with pytest.raises(ConfigError, match='wanted a safetensors file'):
        load_checkpoint(tmp_path / 'best.safetensors')


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'best\.safetensors'):
        load_checkpoint(tmp_path / BEST)


def test_bad_data_ends_the_run_before_any_output(noise_dataset, tmp_path):
    from test_dataset_reading import edit, nan_at

    edit(noise_dataset, 'observation.state', nan_at(6))
    with pytest.raises(ConfigError, match='episode 1, frame 2'):
        Trainer(noise_dataset, tmp_path / 'run', SMALL)
    assert not (tmp_path / 'run').exists()


def test_a_checkpoint_has_the_metadata_of_a_bundle(noise_dataset, tmp_path, layout):
    trainer = Trainer(noise_dataset, tmp_path / 'run', replace(SMALL, epochs=1))
    trainer.run()
    model, about = load_checkpoint(tmp_path / 'run' / BEST)
    policy = describe(model.config, about, '9.9.9')
    state, action = policy['inputs']['state'], policy['outputs']['action']
    assert len(state['joints']) == 20 and not any('hip' in name for name in state['joints'])
    assert action['joints'] == list(layout.action_joints)
    for joint, mean, std in zip(action['joints'], action['mean'], action['std'], strict=True):
        place = state['joints'].index(joint)
        assert (mean, std) == (state['mean'][place], state['std'][place])
    carried = [state['joints'][i] for i in model.config.camera]
    assert sorted(carried) == sorted(n for n in state['joints'] if n.startswith(('head', 'torso')))


def test_data_without_labels_and_with_all_joints_can_be_trained_on(tmp_path, layout):
    """A user's own: plain demonstrations, no targets, every joint felt."""
    data = write_noise(tmp_path / 'plain', replace(layout, labels=0), 6)
    options = replace(SMALL, epochs=1, state='all')
    trainer = Trainer(data, tmp_path / 'run', options)
    assert np.isfinite(trainer.run())
    assert trainer.config.joints == 32


def test_a_network_with_a_history_is_trained_but_is_no_bundle_yet(noise_dataset, tmp_path):
    options = replace(SMALL, epochs=1, network={**SMALL_NETWORK, 'history': 2})
    assert np.isfinite(Trainer(noise_dataset, tmp_path / 'run', options).run())
    model, about = load_checkpoint(tmp_path / 'run' / BEST)
    with pytest.raises(ConfigError, match='config.history: found 2, wanted 1'):
        describe(model.config, about, '1.0.0')


def test_unknown_options_are_rejected_with_the_known_ones():
    with pytest.raises(ValueError, match="freeze: found 'eyes'.*vision"):
        TrainingOptions(freeze=('eyes',))
    with pytest.raises(ValueError, match="precision: found 'int3'.*bf16"):
        TrainingOptions(precision='int3')
