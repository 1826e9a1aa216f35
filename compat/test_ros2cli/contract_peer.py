# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A process for the contract tests of `ros2` to talk to: it has one of everything.

Prints `ready` when it can be asked, and `heard <text>` for each message on /words.
"""

import contextlib

import rclpy
from lifecycle_msgs.msg import State
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool


class Peer(LifecycleNode):
    """Publishes, serves, and refuses to activate."""

    def __init__(self) -> None:
        super().__init__('peer')
        self.declare_parameter(
            'gain',
            1.5,
            ParameterDescriptor(
                description='how strongly',
                floating_point_range=[FloatingPointRange(from_value=0.0, to_value=10.0)],
            ),
        )
        self.declare_parameter('limits.joints', ['left', 'right'])
        self.declare_parameter('limits.counts', [1, 2, 3])
        self._joints = self.create_publisher(JointState, '/joints', qos_profile_sensor_data)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._latched = self.create_publisher(String, '/latched', latched)
        self._latched.publish(String(data='said once'))
        self.create_subscription(String, '/words', self._on_words, 10)
        self.create_service(SetBool, '/arm', self._on_arm)
        self._ticks: list[Future] = []
        self.create_timer(0.02, self._publish)

    def tick(self) -> Future:
        """Return what a coroutine awaits to go on a moment later."""
        self._ticks.append(Future())
        return self._ticks[-1]

    def _publish(self) -> None:
        ticks, self._ticks = self._ticks, []
        for tick in ticks:
            tick.set_result(None)
        message = JointState(name=['left', 'right'], position=[0.25, -1.0])
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = 'lab'
        self._joints.publish(message)

    def _on_words(self, message: String) -> None:
        print(f'heard {message.data}', flush=True)

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = request.data
        response.message = 'armed' if request.data else 'refused'
        return response

    def on_configure(self, state: State) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.FAILURE


def offer_action(node: Peer) -> object | None:
    """Serve /run if the workspace's interfaces are built."""
    try:
        from vla_interfaces.action import RunInstruction
    except ImportError:
        return None
    from rclpy.action import ActionServer, CancelResponse, GoalResponse

    async def execute(goal: object) -> object:
        feedback = RunInstruction.Feedback(phase='walking', confidence=0.5)
        # More than once: the client does not hear the feedback of the first moments.
        for _ in range(15):
            goal.publish_feedback(feedback)
            await node.tick()
        while goal.request.instruction == 'forever' and not goal.is_cancel_requested:
            await node.tick()
        if goal.is_cancel_requested:
            goal.canceled()
            print('heard a cancel', flush=True)
        else:
            goal.succeed()
        return RunInstruction.Result(success=True, reason=goal.request.instruction)

    def accept(request: object) -> GoalResponse:
        return GoalResponse.ACCEPT if request.instruction else GoalResponse.REJECT

    return ActionServer(
        node,
        RunInstruction,
        '/run',
        execute,
        goal_callback=accept,
        cancel_callback=lambda _: CancelResponse.ACCEPT,
    )


def main() -> None:
    rclpy.init()
    peer = Peer()
    server = offer_action(peer)
    executor = SingleThreadedExecutor()
    executor.add_node(peer)
    print('ready', flush=True)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    del server


if __name__ == '__main__':
    main()
