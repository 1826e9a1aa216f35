# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""`detect` on made-up computers: a folder with sys, dev and proc."""

import json
import os

import pytest

from vla_hardware.graph_check import mixed_robots
from vla_validation.detect import command
from vla_validation.detect.devices import Devices, Interface, read_devices
from vla_validation.detect.proposal import propose

DRIVERS = ('mujoco', 'mock', 'so101', 'topics', 'unitree')
ROBOTS = ('humanoid32', 'so101', 'unitree_g1')


class Computer:
    """Writes the kernel's files below a folder."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def link(self, path, target):
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(self.root / target, link.parent))

    def usb(self, port, kind, name, serial=''):
        """A USB device; returns its folder."""
        folder = f'sys/devices/pci0000:00/usb1/{port}'
        vendor, _, product = kind.partition(':')
        for key, value in {
            'idVendor': vendor, 'idProduct': product, 'product': name, 'serial': serial,
        }.items():  # fmt: skip
            if value:
                self.write(f'{folder}/{key}', value + '\n')
        self.link(f'sys/bus/usb/devices/{port}', folder)
        return folder

    def tty(self, usb, name, *names):
        """A serial port of a USB device, with permanent names."""
        interface = f'{usb}/1:1.0/{name}'
        self.write(f'{interface}/port_number', '0\n')
        self.write(f'sys/class/tty/{name}/dev', '188:0\n')
        self.link(f'sys/class/tty/{name}/device', interface)
        self.node('serial', name, *names)

    def video(self, usb, name, card, index, *names):
        """A video node of a USB device."""
        interface = f'{usb}/1:1.0'
        self.write(f'{interface}/bInterfaceClass', '0e\n')
        self.write(f'sys/class/video4linux/{name}/name', card + '\n')
        self.write(f'sys/class/video4linux/{name}/index', f'{index}\n')
        self.link(f'sys/class/video4linux/{name}/device', interface)
        self.node('v4l', name, *names)

    def node(self, folder, name, *names):
        self.write(f'dev/{name}', '')
        for link in names:
            self.link(f'dev/{folder}/{link}', f'dev/{name}')

    def network(self, name, carrier='1'):
        self.write(f'sys/class/net/{name}/carrier', carrier + '\n')

    def read(self, addresses=None, topics=None):
        return read_devices(self.root, addresses, topics)


@pytest.fixture
def computer(tmp_path):
    made = Computer(tmp_path)
    made.usb('usb1', '1d6b:0002', 'xHCI Host Controller')  # a hub on board: not listed
    made.network('lo')
    return made


def proposal(devices):
    return propose(devices, ROBOTS, DRIVERS)


def test_nothing_plugged_in_proposes_the_simulation(computer):
    devices = computer.read(topics={})
    assert devices == Devices(topics={})
    found = proposal(devices)
    assert (found.arguments, found.unsure, found.refused) == ({}, [], '')
    assert found.command == 'ros2 launch vla_bringup humanoid.launch.py'


def test_an_arm_of_feetech_servos_on_a_ch340(computer):
    usb = computer.usb('1-2', '1a86:7523', 'USB Serial')
    by_id = 'by-id/usb-1a86_USB_Serial-if00-port0'
    computer.tty(usb, 'ttyUSB0', by_id, 'by-path/pci-0000:00-usb-0:2:1.0-port0')
    devices = computer.read(topics={})
    assert devices.serial[0].usb.kind == '1a86:7523'
    found = proposal(devices)
    assert found.arguments == {
        'driver': 'so101', 'robot': 'so101', 'stage': 'slow', 'auto_arm': 'false',
    }  # fmt: skip
    text = ' '.join(found.unsure)
    assert f'/dev/serial/{by_id}' in text
    assert 'any other board' in text


def test_two_arms_without_serial_numbers_are_named_by_their_ports(computer):
    for number in (1, 2):
        usb = computer.usb(f'1-{number}', '1a86:7523', 'USB Serial')
        by_id = ['by-id/usb-1a86_USB_Serial-if00-port0'] if number == 1 else []
        computer.tty(usb, f'ttyUSB{number}', *by_id, f'by-path/usb-0:{number}:1.0-port0')
    text = ' '.join(proposal(computer.read(topics={})).unsure)
    assert 'by-path/usb-0:1:1.0-port0 and /dev/serial/by-path/usb-0:2:1.0-port0' in text
    assert 'by-id' not in text
    assert 'leader and follower' in text


def test_a_serial_adapter_of_another_maker_is_no_arm(computer):
    usb = computer.usb('1-2', '0403:6001', 'FT232R', 'A5')
    computer.tty(usb, 'ttyUSB0', 'by-id/usb-FTDI')
    assert proposal(computer.read(topics={})).arguments == {}


def test_a_camera_is_named_by_its_id_and_its_metadata_node_is_left_out(computer):
    usb = computer.usb('1-3', '046d:082d', 'HD Pro Webcam C920', '1A2B')
    name = 'by-id/usb-046d_C920_1A2B-video-index0'
    computer.video(usb, 'video0', 'HD Pro Webcam C920', 0, name)
    computer.video(usb, 'video1', 'HD Pro Webcam C920', 1)
    devices = computer.read(topics={})
    assert [v.path for v in devices.video] == ['/dev/video0']
    assert proposal(devices).arguments['cameras'] == f'camera1:v4l2:{name}'


def test_two_cameras_with_one_serial_number_are_named_by_their_ports(computer):
    for number in (1, 2):
        usb = computer.usb(f'1-{number}', '0c45:6366', 'USB 2.0 Camera', 'SN0001')
        names = [f'by-path/usb-0:{number}:1.0-video-index0']
        names += ['by-id/usb-Sonix_USB_2.0_Camera_SN0001-video-index0'] * (number == 2)
        computer.video(usb, f'video{2 * number}', 'USB 2.0 Camera', 0, *names)
    found = proposal(computer.read(topics={}))
    assert found.arguments['cameras'] == (
        'camera1:v4l2:by-path/usb-0:1:1.0-video-index0,'
        'camera2:v4l2:by-path/usb-0:2:1.0-video-index0'
    )
    unsure = [text for text in found.unsure if 'SN0001' in text]
    assert len(unsure) == 2
    assert 'vla_camera list --pictures' in unsure[0]


def test_a_realsense_is_one_camera_by_its_own_driver(computer):
    usb = computer.usb('2-1', '8086:0b3a', 'Intel(R) RealSense(TM) Depth Camera 435i', '943')
    for number in range(4):
        computer.video(usb, f'video{number}', 'Intel(R) RealSense(TM) Depth Ca', 0)
    found = proposal(computer.read(topics={}))
    assert found.arguments['cameras'] == 'camera1:realsense'
    assert any('RealSense at USB 2-1' in text for text in found.unsure)


@pytest.mark.parametrize(('carrier', 'text'), [('1', ''), ('0', 'is the cable in?')])
def test_the_subnet_of_a_g1(computer, carrier, text):
    computer.network('enp3s0', carrier)
    found = proposal(computer.read({'enp3s0': ('192.168.123.99',)}, {}))
    assert (found.arguments['driver'], found.arguments['robot']) == ('unitree', 'unitree_g1')
    guess = next(what for what in found.unsure if 'robot:=unitree_g1 is a guess' in what)
    assert 'enp3s0 has 192.168.123.99' in guess
    assert text in guess


def test_another_subnet_is_no_robot():
    for address in ('192.168.12.3', '192.168.1.123', 'not an address'):
        network = (Interface('eth0', True, False, (address,)),)
        assert proposal(Devices(network=network, topics={})).arguments == {}


def test_a_robot_without_a_driver_here_is_named_and_not_launched():
    network = (Interface('eth0', True, False, ('172.16.0.1',)),)
    found = proposal(Devices(network=network, topics={}))
    assert found.arguments == {}
    assert any('there is no driver franka here' in text for text in found.unsure)


def test_two_robots_are_for_a_person_to_choose(computer):
    usb = computer.usb('1-2', '1a86:7523', 'USB Serial')
    computer.tty(usb, 'ttyUSB0')
    computer.network('eth0')
    found = proposal(computer.read({'eth0': ('192.168.123.5',)}, {}))
    assert 'driver' not in found.arguments
    assert any(text.startswith('several robots') for text in found.unsure)


def test_topics_of_other_programs_are_a_robot_and_a_camera():
    topics = {
        '/joint_states': ('sensor_msgs/msg/JointState',),
        '/realsense/color/image_raw': ('sensor_msgs/msg/Image',),
    }
    found = proposal(Devices(topics=topics))
    assert found.arguments['driver'] == 'topics'
    assert found.arguments['cameras'] == 'camera1:topic:/realsense/color/image_raw'
    ours = {'/joint_states': topics['/joint_states'], '/sim/world_state': ('x',),
            '/camera/color/image_raw': ('sensor_msgs/msg/Image',)}  # fmt: skip
    assert proposal(Devices(topics=ours)).arguments == {}, 'the simulated robot is up'


def test_a_real_robot_beside_a_simulated_one_is_refused(computer):
    computer.network('eth0')
    topics = {'/sim/world_state': ('vla_interfaces/msg/WorldState',)}
    found = proposal(computer.read({'eth0': ('192.168.123.5',)}, topics))
    assert found.refused == 'a real robot beside a simulated one (/sim/world_state is published)'
    assert proposal(Devices(topics={**topics, '/lowstate': ('x',)})).refused
    assert proposal(Devices(topics=topics)).refused == ''


@pytest.mark.parametrize(
    ('simulated', 'topics', 'refused'),
    [
        (False, [], False),
        (False, ['/sim/world_state'], True),
        (True, ['/sim/world_state'], False),  # a second one is a second publisher elsewhere
        (True, ['/lowstate', '/joint_states'], True),
        (False, ['/lowstate'], False),
    ],
)
def test_a_driver_does_not_start_beside_a_robot_of_the_other_kind(simulated, topics, refused):
    assert bool(mixed_robots(simulated, topics)) is refused


def test_gpus_are_named(computer):
    computer.write('proc/driver/nvidia/gpus/0000:01:00.0/information', 'Model: \t NVIDIA RTX\n')
    computer.write('sys/class/drm/card0/device/vendor', '0x10de\n')
    computer.write('sys/class/drm/card1/device/vendor', '0x8086\n')
    assert computer.read().gpus == ('NVIDIA RTX', 'Intel')


def test_a_device_that_lies_about_its_name_prints_as_one_line(computer):
    computer.usb('1-1', '1234:5678', 'Evil\x1b[2J\nname', 'a\x00b')
    device = computer.read().usb[0]
    assert device.name.isprintable()
    assert device.serial.isprintable()


def test_the_command_lists_and_proposes(computer, capsys):
    usb = computer.usb('1-2', '1a86:7523', 'USB Serial')
    computer.tty(usb, 'ttyUSB0', 'by-id/usb-1a86')
    given = ['--no-graph', '--root', str(computer.root)]
    assert command.main([*given, '--json']) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result['devices']['serial'][0]['path'] == '/dev/ttyUSB0'
    assert result['proposal']['arguments']['driver'] == 'so101'
    assert 'the ROS graph was not looked at' in result['proposal']['unsure']
    assert command.main(given) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('proposal: ros2 launch vla_bringup humanoid.launch.py driver:=so101')
