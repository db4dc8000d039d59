# SPDX-License-Identifier: Apache-2.0
"""Lifetimes (section 9): SAs end by themselves when their seconds are over, or without traffic.

The service has its own clock, and the model none: SAs with a second to live are added, and when the
service shows that they are gone, whenever that is, all else has to be as after their end."""

import time

from follow import Difference

SECONDS = 60  # until a wait is given up as a difference


class Lifetimes:
    """What the end of a direction does."""

    def end_direction(self, name, direction, reason):
        """Outbound: the inbound SAs stay for the grace; inbound: the context goes."""
        if direction == "outbound":
            self.end_outbound([name], reason)
        else:
            self.remove(name, reason)


def make(generator):
    """Keys a context in one direction with SAs that end soon; null when none waits for that."""
    direction = generator.pick(["inbound", "outbound", "outbound"])
    state = {"inbound": "spiSet", "outbound": "inbound"}[direction]
    names = [name for name, context in generator.model.contexts.items() if context.state == state]
    if not names:
        return None
    call = {"op": {"inbound": "addInbound", "outbound": "addOutbound"}[direction], "who": "admin"}
    generator.spoilt = True  # nothing is to be wrong
    getattr(generator, "make_" + call["op"])(call)
    call["id"] = generator.pick(names)
    context = generator.model.contexts[call["id"]]
    call["body"] = generator.bundle(context.spi if direction == "inbound"
                                    else generator.peer_spi(), context.inbound)
    reason = generator.pick(["lifetime", "idle"])
    if reason == "lifetime":
        call["body"]["lifetime"] = {"seconds": 1}
    else:
        call["body"]["idleTimeoutSeconds"] = 1
    return {"op": "age", "call": call, "direction": direction, "reason": reason}


def play(run, step):
    """Runs such a step."""
    call, name = step["call"], step["call"]["id"]
    before = run.model.contexts.get(name)
    run.call(call)
    after = run.model.contexts.get(name)
    if after is None or after is before:
        return  # the call was refused
    state = after.state
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        connection = run.service.connection("admin")
        connection.send("GET", "/sa-contexts/%d" % run.names.ids[name])
        status, _, answer = connection.receive()
        if status == 404 or (status == 200 and answer["state"] != state):
            break
        time.sleep(0.02)
    else:
        raise Difference("%s of %s did not end" % (step["direction"], name))
    run.model.end_direction(name, step["direction"], step["reason"])
    run.follower.expect(run.model.take_changes())
    run.call({"op": "getSaContext", "who": "admin", "id": name})
    run.follower.look({})
    run.aged += 1
