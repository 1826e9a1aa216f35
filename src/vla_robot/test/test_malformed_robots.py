# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Every mistake in a robot directory gives one error that names the file, the key and both values.

Each case is the test robot with one malformed file.
"""

import re
import shutil
from pathlib import Path

import pytest

from vla_common.errors import ConfigError
from vla_common.testing_refusals import documented
from vla_robot import load_robot

TESTBOT = Path(__file__).parent / 'testbot'

# file, what is replaced (a regular expression), by what, key, found, wanted
CASES = {
    'bad_yaml': ('robot.yaml', r'poses:\n', 'poses: [\n', 'line', '', 'valid YAML'),
    'a_list': ('robot.yaml', r'(?s).*', '- 1\n', '', 'list', 'a mapping'),
    'other_format': ('robot.yaml', 'format: 1', 'format: 2', 'format', '2', '1'),
    'no_name': ('robot.yaml', 'name: testbot\n', '', 'name', 'nothing', 'a text'),
    'unknown_key': ('robot.yaml', 'servos:', 'extra_servos: 1\nservos:', 'extra_servos',
                    'an unknown key', "'servos'"),
    'no_joints': ('robot.yaml', 'joints: .*\n', '', 'joints', 'nothing', 'a list'),
    'unknown_joint': ('robot.yaml', r'\[lift, bend, pan\]', '[lift, bent, pan]', 'joints[1]',
                      'bent', "'bend'"),
    'missing_joint': ('robot.yaml', r'\[lift, bend, pan\]', '[lift, bend]', 'joints',
                      '2 joints, without pan', 'all 3 movable joints'),
    'joint_twice': ('robot.yaml', r'\[lift, bend, pan\]', '[lift, bend, lift]', 'joints[2]',
                    'lift twice', 'each joint once'),
    'joint_not_in_urdf': ('robot.urdf', 'joint name="bend"', 'joint name="fold"', 'joints[1]',
                          'bend', 'movable joint'),
    'unknown_group_member': ('robot.yaml', r'head: \[pan\]', 'head: [pam]', 'groups.head[0]',
                             'pam', "'pan'"),
    'no_legs_group': ('robot.yaml', r'  legs: \[\]\n', '', 'groups.legs', 'nothing', 'a list'),
    'unknown_link': ('robot.yaml', 'left_hand: grip', 'left_hand: grap', 'frames.left_hand',
                     'grap', "'grip'"),
    'unknown_frame': ('robot.yaml', 'left_hand: grip', 'left_hant: grip', 'frames.left_hant',
                      'an unknown key', "'left_hand'"),
    'base_is_not_the_root': ('robot.yaml', 'base: stand', 'base: pan', 'frames.base', 'pan',
                             'stand, the root'),
    'no_imu': ('robot.yaml', '  imu: stand\n', '', 'frames.imu', 'nothing',
               'a link of robot.urdf'),
    'pose_of_unknown_joint': ('robot.yaml', r'\{lift: 0.5\}', '{lifd: 0.5}',
                              'poses.standing.lifd', 'an unknown joint', "'lift'"),
    'pose_outside_limits': ('robot.yaml', r'\{lift: 0.5\}', '{lift: 1.5}', 'poses.standing.lift',
                            '1.5', 'from -2 to 1'),
    'pose_nan': ('robot.yaml', r'\{lift: 0.5\}', '{lift: .nan}', 'poses.standing.lift', 'nan',
                 'a finite number'),
    'no_ready_pose': ('robot.yaml', '  ready: .*\n', '', 'poses.ready', 'nothing', 'a mapping'),
    'path_to_elsewhere': ('robot.yaml', 'servos:', 'paths: {ready: [standing]}\nservos:',
                          'paths.ready', 'standing', 'end with ready'),
    'path_through_nowhere': ('robot.yaml', 'servos:', 'paths: {ready: [up, ready]}\nservos:',
                             'paths.ready[0]', 'up', 'one of standing, ready'),
    'negative_gain': ('robot.yaml', 'kp: 80', 'kp: -80', 'servos.all.kp', '-80', 'at least 0'),
    'infinite_gain': ('robot.yaml', 'kv: 3', 'kv: .inf', 'servos.all.kv', 'inf', 'finite'),
    'text_for_gain': ('robot.yaml', 'kp: 80', 'kp: stiff', 'servos.all.kp', 'stiff', 'finite'),
    'zero_acceleration': ('robot.yaml', 'acceleration: 10', 'acceleration: 0',
                          'servos.all.acceleration', '0', 'a positive number'),
    'unknown_servo_key': ('robot.yaml', 'kp: 80', 'kp: 80, ki: 1', 'servos.all.ki',
                          'an unknown key', 'kp, kv'),
    'joint_without_servo': ('robot.yaml', r'joints: \[upper_body\]', 'joints: [left_arm]',
                            'servos', 'no class with pan', 'each joint in one class'),
    'joint_with_two_servos': (
        'robot.yaml', r'servos:\n',
        'servos:\n  more: {joints: [pan], kp: 1, kv: 1, acceleration: 1, soft_margin: 0}\n',
        'servos.all.joints', 'pan', 'a joint that more does not have'),
    'jerk_for_some': (
        'robot.yaml', r'  all: \{joints: \[upper_body\]',
        '  eye: {joints: [pan], kp: 1, kv: 1, acceleration: 1, jerk: 9, soft_margin: 0}\n'
        '  all: {joints: [left_arm]', 'servos', 'no jerk for lift', 'in every class'),
    'margin_eats_the_range': ('robot.yaml', 'soft_margin: 0.05', 'soft_margin: 1.1', 'servos',
                              'soft_margin 1.1 at pan', 'a range inside it'),
    'unknown_stop': ('robot.yaml', 'estop: off', 'estop: freeze', 'stops.estop', 'freeze',
                     'one of damp, damp_then_off, off'),
    'boolean_stop': ('robot.yaml', 'safe_stop_duration: 1.0', 'safe_stop_duration: yes',
                     'stops.safe_stop_duration', 'True', 'finite number'),
    'camera_in_no_frame': ('robot.yaml', 'frame: head_camera', 'frame: hand_camera',
                           'camera.frame', 'hand_camera', "'head_camera'"),
    'camera_without_width': ('robot.yaml', 'width: 64, ', '', 'camera.width', 'nothing', 'whole'),
    'a_second_head_camera': ('robot.yaml', 'camera: {f', 'cameras: {head: {link: eye}}\ncamera: {f',
                             'cameras.head', 'head', 'another name'),
    'a_camera_name_with_a_capital': ('robot.yaml', 'camera: {f', 'cameras: {Wrist: {}}\ncamera: {f',
                                     'cameras.Wrist', 'Wrist', 'a lower-case letter'),
    'a_camera_on_no_link': ('robot.yaml', 'camera: {f',
                            'cameras: {wrist: {link: gripp}}\ncamera: {f',
                            'cameras.wrist.link', 'gripp', "'grip'"),
    'a_wrist_camera_without_a_size': ('robot.yaml', 'camera: {f',
                                      'cameras: {wrist: {link: grip}}\ncamera: {f',
                                      'cameras.wrist.width', 'nothing', 'whole'),
    'half_a_pixel': ('robot.yaml', 'width: 64', 'width: 64.5', 'camera.width', '64.5', 'whole'),
    'collision_of_three': ('robot.yaml', r'allowed_collisions: \[\]',
                           'allowed_collisions: [[pan, upper, lower]]', 'allowed_collisions[0]',
                           'pan', 'a pair of links'),
    'collision_of_nothing': ('robot.yaml', r'allowed_collisions: \[\]',
                             'allowed_collisions: [[pan, grip]]', 'allowed_collisions[0]',
                             'grip', 'link with collision geometry'),
    'friction_of_two': ('robot.yaml', r'\[1, 0.01, 0.0001\]', '[1, 0.01]',
                        'simulation.foot_friction', '2 values', '3 finite numbers'),
    'armature_of_no_class': ('robot.yaml', r'armature: \{all', 'armature: {al',
                             'simulation.armature.all', 'nothing', 'finite number'),
    'one_foot': ('robot.yaml', 'left_hand: grip', 'left_foot: grip', 'frames.right_foot',
                 'nothing, with left_foot', 'both feet, or none'),
    'urdf_elsewhere': ('robot.yaml', 'urdf: robot.urdf', 'urdf: other.urdf', '', 'no such file',
                       'a URDF file'),
    'bad_xml': ('robot.urdf', '</robot>', '', 'line', 'no element', 'well-formed XML'),
    'not_a_robot': ('robot.urdf', r'(?s).*', '<model/>', '', '<model>', 'a <robot> element'),
    'no_limit': ('robot.urdf', r'(axis xyz="0 0 1"/>)<limit[^>]*>', r'\1', 'joint[pan]/limit',
                 'nothing', 'limits'),
    'misspelt_limit': ('robot.urdf', 'lower="-2" upper', 'lover="-2" upper',
                       'joint[lift]/limit@lower', 'nothing', 'finite number'),
    'lower_above_upper': ('robot.urdf', 'lower="-2" upper="1"', 'lower="1" upper="-2"',
                          'joint[lift]/limit', 'lower 1, upper -2', 'lower below upper'),
    'nan_limit': ('robot.urdf', 'effort="20"', 'effort="nan"', 'joint[lift]/limit@effort', 'nan',
                  'a finite number'),
    'zero_velocity': ('robot.urdf', 'velocity="3"', 'velocity="0"', 'joint[bend]/limit@velocity',
                      '0.0', 'a positive number'),
    'words_for_mass': ('robot.urdf', 'mass value="5"', 'mass value="heavy"',
                       'link[stand]/mass@value', 'heavy', 'a finite number'),
    'negative_mass': ('robot.urdf', 'mass value="5"', 'mass value="-5"',
                      'link[stand]/mass@value', '-5', 'a positive number'),
    'impossible_inertia': ('robot.urdf', 'ixx="0.1"', 'ixx="0.9"', 'link[stand]/inertia', '0.9',
                           'sum of the other two'),
    'unknown_joint_type': ('robot.urdf', '(name="pan" type=")revolute', r'\1continuous',
                           'joint[pan]@type', 'continuous', 'one of revolute'),
    'parent_that_is_no_link': ('robot.urdf', 'parent link="upper"', 'parent link="uper"',
                               'joint[bend]/parent@link', 'uper', 'the name of a link'),
    'link_twice': ('robot.urdf', '<link name="grip"/>', '<link name="grip"/><link name="grip"/>',
                   'link[grip]', 'the name twice', 'unique names'),
    'two_roots': ('robot.urdf', '<link name="grip"/>', '<link name="grip"/><link name="lost"/>',
                  'link', 'stand, lost', 'one root link'),
    'mesh_missing': ('robot.urdf', 'wedge.stl', 'wegde.stl', 'link[pan]/mesh@filename',
                     'meshes/wegde.stl', 'an existing mesh file'),
    'mesh_of_no_package': ('robot.urdf', 'meshes/wedge.stl', 'package://no_such/wedge.stl',
                           'link[pan]/mesh@filename', 'package://no_such', 'existing mesh file'),
    'old_urdf_with_capsules': ('robot.urdf', ' version="1.1"', '', 'robot@version', '1.0',
                               'Pinocchio drops the capsules'),
    'mimic_joint': ('robot.urdf', '(<limit lower="-1" [^>]*/>)', r'\1<mimic joint="bend"/>',
                    'joint[pan]/mimic', 'a mimic joint (of bend)', "type 'fixed', or no <mimic>"),
    'mimic_in_ros2_control': (
        'robot.urdf', '</robot>',
        '<ros2_control name="c" type="system"><joint name="pan"><param name="mimic">bend</param>'
        '</joint></ros2_control></robot>', 'ros2_control/joint[pan]/mimic', 'a mimic joint',
        "type 'fixed'"),
    'mimic_of_gazebo': ('robot.urdf', '</robot>',
                        '<gazebo><plugin name="m" filename="libmimic_joint.so"/></gazebo></robot>',
                        'gazebo/plugin[m]', 'a mimic joint', "type 'fixed'"),
    'closed_chain_of_gazebo': (
        'robot.urdf', '</robot>', '<gazebo><joint name="l"/></gazebo></robot>', 'gazebo/joint[l]',
        'closed chain', 'a tree without it'),
    'closed_chain_of_mujoco': ('robot.urdf', '</robot>', '<mujoco><equality/></mujoco></robot>',
                               'mujoco/equality', 'mechanics of MuJoCo alone', 'compiler'),
    'closed_chain_of_drake': ('robot.urdf', '</robot>', '<loop_joint name="l"/></robot>',
                              'loop_joint[l]', 'a closed chain', 'a tree without it'),
    'differential_transmission': (
        'robot.urdf', '</robot>', '<transmission name="t"><joint name="pan"/><joint name="lift"/>'
        '</transmission></robot>', 'transmission[t]', 'coupled joints lift, pan', 'one joint'),
    'planar_joint': ('robot.urdf', '(name="pan" type=")revolute', r'\1planar', 'joint[pan]@type',
                     'planar', 'two prismatic joints'),
    'floating_joint': ('robot.urdf', '(name="pan" type=")revolute', r'\1floating',
                       'joint[pan]@type', 'floating', 'leave out this joint'),
    'limits_in_degrees': ('robot.urdf', 'lower="-2" upper="1"', 'lower="-115" upper="57"',
                          'joint[lift]/limit@lower', '-115', 'rad, at most 12.57'),
    'zero_effort': ('robot.urdf', 'effort="20"', 'effort="0"', 'joint[lift]/limit@effort', '0.0',
                    'a positive number'),
    'limit_twice': ('robot.urdf', '(<limit lower="-1" [^>]*/>)', r'\1\1', 'joint[pan]/limit',
                    'the element twice', 'once'),
    'misspelt_attribute': ('robot.urdf', '<origin xyz="0 0 0.75"/>',
                           '<origin xyz="0 0 0.75" rp="1 0 0"/>', 'joint[pan]/origin@rp',
                           'an unknown attribute', "'rpy'"),
    'quaternion': ('robot.urdf', '<origin xyz="0 0 0.75"/>',
                   '<origin xyz="0 0 0.75" quat_xyzw="1 0 0 0"/>', 'joint[pan]/origin@quat_xyzw',
                   'an unknown attribute', 'xyz, rpy'),
    'origin_of_two': ('robot.urdf', '<origin xyz="0 0 0.75"/>', '<origin xyz="0 0.75"/>',
                      'joint[pan]/origin@xyz', '0 0.75', '3 finite numbers'),
    'size_of_a_planet': ('robot.urdf', '<box size="0.18 0.05 0.05"/>', '<box size="1e300 1 1"/>',
                         'link[lower]/collision[0]/box@size', '1e300 1 1', 'at most 100 m'),
    'axis_zero': ('robot.urdf', '<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>',
                  'joint[pan]/axis@xyz', '0 0 0', 'a direction'),
    'negative_damping': ('robot.urdf', '(<limit lower="-1" [^>]*/>)', r'\1<dynamics damping="-1"/>',
                         'joint[pan]/dynamics@damping', '-1', 'at least 0'),
    'soft_limits_outside': (
        'robot.urdf', '(<limit lower="-1" [^>]*/>)',
        r'\1<safety_controller soft_lower_limit="2" soft_upper_limit="3" k_velocity="1"/>',
        'joint[pan]/safety_controller', 'lower 2, upper 1', 'soft limits inside the limits'),
    'moving_link_without_inertia': (
        'robot.urdf', r'(<link name="upper">\s*)<inertial>.*</inertial>', r'\1',
        'link[upper]/inertial', 'nothing', 'joint lift moves this link'),
    'moments_beside_the_diagonal': (
        'robot.urdf', 'izz="0.1" ixy="0"', 'izz="0.1" ixy="0.09"', 'link[stand]/inertia', '0.19',
        'none larger than the sum'),
    'link_named_world': ('robot.urdf', '"grip"', '"world"', 'link[world]', 'a link named world',
                         'bolted to the world'),
    'loop_beside_the_tree': (
        'robot.urdf', '</robot>',
        '<link name="a"/><link name="b"/><joint name="ab" type="fixed"><parent link="a"/>'
        '<child link="b"/></joint><joint name="ba" type="fixed"><parent link="b"/>'
        '<child link="a"/></joint></robot>', 'link[a]', 'a loop of joints', 'a tree from stand'),
    'no_size': ('robot.urdf', '<box size="0.18 0.05 0.05"/>', '<box size="0.18 0 0.05"/>',
                'link[lower]/collision[0]/box@size', '0.18 0 0.05', 'positive sizes'),
    'mesh_in_mm': ('robot.urdf', 'meshes/wedge.stl"', 'meshes/wedge.stl" scale="1000 1000 1000"',
                   'link[pan]/mesh@filename', 'm long', 'scale="0.001 0.001 0.001"'),
    'mesh_scale_of_one': ('robot.urdf', 'meshes/wedge.stl"', 'meshes/wedge.stl" scale="0.5"',
                          'link[pan]/mesh@scale', '0.5', '3 finite numbers'),
    'flat_mesh': ('robot.urdf', 'meshes/wedge.stl"', 'meshes/wedge.stl" scale="1 1 0.00001"',
                  'link[pan]/mesh@filename', 'a flat mesh', 'a solid'),
    'mesh_of_other_format': ('robot.urdf', 'meshes/wedge.stl"', 'robot.yaml"',
                             'link[pan]/mesh@filename', 'robot.yaml', '.stl, .obj, .dae'),
    'mesh_of_unknown_package': (
        'robot.urdf', 'meshes/wedge.stl', 'package://no_such/wedge.stl',
        'link[pan]/mesh@filename', 'package://no_such', 'no_such installed, or wedge.stl beside'),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_a_malformed_file_is_one_error_with_file_key_found_and_wanted(case, tmp_path):
    file, pattern, replacement, key, found, wanted = CASES[case]
    directory = tmp_path / 'testbot'
    shutil.copytree(TESTBOT, directory)
    path = directory / file
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, 'the case does not change the file'
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_robot(directory)
    error = caught.value
    # Two mistakes are seen from the other file.
    seen_from = {'urdf_elsewhere': 'other.urdf', 'joint_not_in_urdf': 'robot.yaml'}
    expected = directory / seen_from.get(case, file)
    assert str(error.file) == str(expected)
    assert error.key.startswith(key) if key == 'line' else error.key == key
    assert found in str(error.found)
    assert wanted in str(error.wanted)
    assert str(error).count('\n') == 0
    section = 'URDFs' if file.endswith('urdf') else 'Robot directories'
    documented(section, case, error, directory)


def test_an_unknown_robot_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        load_robot('humanoid23')
    assert caught.value.found == 'humanoid23'
    assert 'humanoid32' in caught.value.wanted
    documented('Robot directories', 'a robot that is not installed', caught.value)


def test_a_missing_directory_is_reported(tmp_path):
    with pytest.raises(ConfigError, match=r'nowhere: found no such directory') as caught:
        load_robot(tmp_path / 'nowhere')
    documented('Robot directories', 'no such directory', caught.value, tmp_path)


def test_a_directory_without_robot_yaml_is_reported(tmp_path):
    with pytest.raises(ConfigError, match=r'robot\.yaml: found no such file') as caught:
        load_robot(tmp_path)
    documented('Robot directories', 'no robot.yaml', caught.value, tmp_path)


def test_an_untouched_copy_loads(tmp_path):
    shutil.copytree(TESTBOT, tmp_path / 'testbot')
    assert load_robot(tmp_path / 'testbot').name == 'testbot'


def test_an_unreadable_mesh_is_reported(tmp_path):
    shutil.copytree(TESTBOT, tmp_path / 'testbot')
    (tmp_path / 'testbot' / 'meshes' / 'wedge.stl').write_text('solid wedge\n')
    with pytest.raises(ConfigError, match=r'mesh@filename: found wedge.stl: unreadable') as caught:
        load_robot(tmp_path / 'testbot')
    documented('URDFs', 'an unreadable mesh', caught.value, tmp_path / 'testbot')
