# SPDX-License-Identifier: Apache-2.0
"""Security descriptors (sections 7.9 and 11): one for each container, and what they grant.

Who may do what is asked of them at every call, so a descriptor that is set holds from its answer on."""

from base import Answer, need

CONTAINERS = ("engine", "saDatabase", "filters", "providerContexts")
RIGHTS = ("FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK FWPM_ACTRL_BEGIN_READ_TXN FWPM_ACTRL_BEGIN_WRITE_TXN "
          "FWPM_ACTRL_ENUM FWPM_ACTRL_OPEN FWPM_ACTRL_READ FWPM_ACTRL_READ_STATS "
          "FWPM_ACTRL_SUBSCRIBE FWPM_ACTRL_WRITE DELETE READ_CONTROL WRITE_DAC").split()
MODEL = "uri:spiffe://example.org/model/"


def file_descriptor(rights, container):
    """The access file's, of 'rights': principal -> container -> rights."""
    return [{"type": "allow", "principal": MODEL + who, "rights": list(containers[container])}
            for who, containers in rights.items() if container in containers]


def canonical(dacl):
    """Those that deny come first, otherwise the order stays."""
    return sorted(dacl, key=lambda entry: entry["type"] != "deny")


def is_about(principal, who):
    if principal == "everyone":
        return True
    if principal.endswith("/*"):
        return (MODEL + who).startswith(principal[:-1])
    return principal == MODEL + who


class Security:
    def descriptor(self, container):
        """What a caller has set holds instead of the file's."""
        return self.descriptors.get(container, file_descriptor(self.rights, container))

    def has_right(self, who, container, right):
        """The container's own entries, then those of the engine: the first that names it decides."""
        dacl = canonical(self.descriptor(container))
        if container != "engine":
            dacl += canonical(self.descriptor("engine"))
        for entry in dacl:
            if right in entry["rights"] and is_about(entry["principal"], who):
                return entry["type"] == "allow"
        return False

    def show_descriptor(self, container):
        return Answer(200, None, {"dacl": canonical(self.descriptor(container))})

    def op_getSecurity(self, op):
        self.enter(op, op["container"], "READ_CONTROL")
        return self.show_descriptor(op["container"])

    def op_setSecurity(self, op):
        self.enter(op, op["container"], "WRITE_DAC", "direct")
        for entry in op["body"]["dacl"]:
            need(entry["type"] in ("allow", "deny"), "FWP_E_INVALID_ENUMERATOR")
            need(entry["principal"] == "everyone" or entry["principal"].startswith(MODEL),
                 "FWP_E_INVALID_PARAMETER")
            need(set(entry["rights"]) <= set(RIGHTS), "FWP_E_INVALID_ENUMERATOR")
        self.descriptors[op["container"]] = op["body"]["dacl"]
        return self.show_descriptor(op["container"])

    def op_resetSecurity(self, op):
        self.enter(op, op["container"], "WRITE_DAC", "direct")
        self.descriptors.pop(op["container"], None)
        return Answer(204)

    def op_whoami(self, op):
        return Answer(200, None, {"principal": MODEL + op["who"], "rights": {
            container: [right for right in RIGHTS if self.has_right(op["who"], container, right)]
            for container in CONTAINERS}})
