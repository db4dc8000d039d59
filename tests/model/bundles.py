# SPDX-License-Identifier: Apache-2.0
"""SA bundles: transforms, keys and flags (sections 4.4 to 4.6, 7.3, 12)."""

from base import Refused, need

# Key bytes, whether it is GCM, whether it is weak.
AUTH = {
    "HMAC_MD5_96": (16, False, True),
    "HMAC_SHA_1_96": (20, False, False),
    "HMAC_SHA_256_128": (32, False, False),
    "GCM_AES_128": (20, True, False),
    "GCM_AES_192": (28, True, False),
    "GCM_AES_256": (36, True, False),
}
CIPHER = {
    "CBC_DES": (8, False, True),
    "CBC_3DES": (24, False, True),
    "AES_128": (16, False, False),
    "AES_192": (24, False, False),
    "AES_256": (32, False, False),
    "GCM_AES_128": (20, True, False),
    "GCM_AES_192": (28, True, False),
    "GCM_AES_256": (36, True, False),
}
TYPES = {"ah": "auth", "espAuth": "auth", "espCipher": "cipher", "espAuthAndCipher": "both",
         "espAuthFw": "auth"}
BUNDLE_FLAGS = {
    "ndSecure", "ndBoundary", "ndPeerNatBoundary", "guaranteeEncryption", "nlb",
    "noMachineLuidVerify", "noImpersonationLuidVerify", "noExplicitCredMatch",
    "allowNullTargetNameMatch", "clearDfOnTunnel", "assumeUdpContextOutbound", "ndPeerBoundary",
    "suppressDuplicateDeletion", "peerSupportsGuaranteeEncryption", "forceInboundConnections"}


def key_bytes(text):
    return bytes.fromhex(text.removeprefix("hex:"))


def check_key(text, size, gcm, code):
    key = key_bytes(text)
    need(len(key) == size, code)
    need(any(key[:-4] if gcm else key), code)


def show_bundle(bundle, spi=None):
    """A bundle as it is read: no keys but their lengths; 0 for the SPI was the context's."""
    if bundle is None:
        return None
    shown = {k: v for k, v in bundle.items() if k != "saList"}
    shown["saList"] = []
    for sa in bundle["saList"]:
        one = {k: v for k, v in sa.items() if k not in ("authKey", "cipherKey")}
        one["spi"] = sa["spi"] if spi is None else spi
        if TYPES[sa["saTransformType"]] == "both" and "GCM" in sa["cipherTransform"]:
            one["keyLength"] = len(key_bytes(sa["cipherKey"]))
        else:
            for key in ("authKey", "cipherKey"):
                if key in sa:
                    one[key + "Length"] = len(key_bytes(sa[key]))
        shown["saList"].append(one)
    return shown


class Bundles:
    # --- Bundles (4.4 to 4.6, 7.3, 12) ----------------------------------------------------------

    def check_bundle_values(self, bundle, direction):
        need(bundle["saList"], "FWP_E_ZERO_LENGTH_ARRAY")
        need(len(bundle["saList"]) <= 2, "FWP_E_OUT_OF_BOUNDS")
        for sa in bundle["saList"]:
            need(sa["saTransformType"] in TYPES, "FWP_E_INVALID_ENUMERATOR")
            auth, cipher = sa.get("authTransform"), sa.get("cipherTransform")
            need(auth is None or auth in AUTH, "FWP_E_INVALID_AUTH_TRANSFORM")
            need(cipher is None or cipher in CIPHER, "FWP_E_INVALID_CIPHER_TRANSFORM")
            what = TYPES[sa["saTransformType"]]
            need(what == "cipher" or auth, "FWP_E_NULL_POINTER")
            need(what == "auth" or cipher, "FWP_E_NULL_POINTER")
            need(what == "auth" or sa.get("cipherKey"), "FWP_E_NULL_POINTER")
            gcm = AUTH.get(auth, (0, False))[1] or CIPHER.get(cipher, (0, False))[1]
            need(what == "cipher" or sa.get("authKey") or (what == "both" and gcm),
                 "FWP_E_NULL_POINTER")
            need(direction == "inbound" or sa["spi"] not in range(256), "FWP_E_OUT_OF_BOUNDS")
        need(set(bundle.get("flags", [])) <= BUNDLE_FLAGS, "FWP_E_INVALID_FLAGS")
        self.check_ports(bundle)
        self.check_id(bundle.get("ipsecId", {}))

    def check_id(self, identity):
        """Only the form of what a keying module says is judged (IPSEC_ID0)."""
        for name in (identity.get("mmTargetName", ""), identity.get("emTargetName", "")):
            need(len(name) < 256 and name.isprintable(), "FWP_E_INVALID_PARAMETER")
        tokens = identity.get("tokens", [])
        need(len(tokens) <= 8, "FWP_E_OUT_OF_BOUNDS")
        need(all(token["type"] in ("machine", "impersonation") for token in tokens),
             "FWP_E_INVALID_ENUMERATOR")

    def check_ports(self, bundle):
        ports = bundle.get("udpEncapsulation", {"localPort": 1, "remotePort": 1})
        need(all(ports.values()), "FWP_E_OUT_OF_BOUNDS")

    def check_bundle(self, context, bundle, direction):
        sas = bundle["saList"]
        types = [sa["saTransformType"] for sa in sas]
        need(len(sas) == 1 or (types[0] != "ah" and types[1] == "ah"), "FWP_E_INVALID_PARAMETER")
        for sa in sas:
            self.check_transform(sa)
        if not self.allow_weak:
            self.check_strength(sas)
        for sa in sas:
            self.check_keys(sa)
        self.check_bundle_meaning(context, bundle, bundle)
        if direction == "inbound" and context.spi is not None:
            need(all(sa["spi"] in (0, context.spi) for sa in sas), "FWP_E_INVALID_PARAMETER")
        other = context.outbound if direction == "inbound" else context.inbound
        if other is not None:
            need([sa["saTransformType"] for sa in other["saList"]] == types,
                 "FWP_E_INVALID_PARAMETER")
            ids = {bundle.get("qmSaId", 0), other.get("qmSaId", 0)} - {0}
            need(len(ids) < 2, "FWP_E_INVALID_PARAMETER")
        if direction == "outbound" and context.inbound is not None and context.knows_key:
            self.check_own_key(sas, context.inbound["saList"])

    def check_transform(self, sa):
        what = TYPES[sa["saTransformType"]]
        need(sa["saTransformType"] != "espAuthFw", "FWP_E_INVALID_AUTH_TRANSFORM")
        need(what != "cipher" or "authTransform" not in sa, "FWP_E_INVALID_PARAMETER")
        need(what != "auth" or "cipherTransform" not in sa, "FWP_E_INVALID_PARAMETER")
        auth_size, auth_gcm, _ = AUTH.get(sa.get("authTransform"), (0, False, False))
        cipher_size, cipher_gcm, _ = CIPHER.get(sa.get("cipherTransform"), (0, False, False))
        need(not (sa["saTransformType"] == "ah" and auth_gcm), "FWP_E_INVALID_AUTH_TRANSFORM")
        need(not (what == "cipher" and cipher_gcm), "FWP_E_INVALID_CIPHER_TRANSFORM")
        if what == "both":
            need(auth_gcm == cipher_gcm and (not auth_gcm or auth_size == cipher_size),
                 "FWP_E_INVALID_CIPHER_TRANSFORM")

    def check_strength(self, sas):
        for sa in sas:
            need(not AUTH.get(sa.get("authTransform"), (0, 0, False))[2],
                 "FWP_E_INVALID_AUTH_TRANSFORM")
            need(not CIPHER.get(sa.get("cipherTransform"), (0, 0, False))[2],
                 "FWP_E_INVALID_CIPHER_TRANSFORM")
        kinds = {TYPES[sa["saTransformType"]] for sa in sas}
        need(kinds & {"cipher", "both"}, "FWP_E_INVALID_CIPHER_TRANSFORM")
        need(kinds & {"auth", "both"}, "FWP_E_INVALID_AUTH_TRANSFORM")

    def check_keys(self, sa):
        what = TYPES[sa["saTransformType"]]
        need(what != "cipher" or "authKey" not in sa, "FWP_E_INVALID_PARAMETER")
        need(what != "auth" or "cipherKey" not in sa, "FWP_E_INVALID_PARAMETER")
        if what != "auth":
            size, gcm, _ = CIPHER[sa["cipherTransform"]]
            check_key(sa["cipherKey"], size, gcm, "FWP_E_INVALID_CIPHER_TRANSFORM")
        if what == "both" and AUTH[sa["authTransform"]][1]:
            need(sa.get("authKey", sa["cipherKey"]) == sa["cipherKey"],
                 "FWP_E_INVALID_AUTH_TRANSFORM")
        elif what != "cipher":
            size, gcm, _ = AUTH[sa["authTransform"]]
            check_key(sa["authKey"], size, gcm, "FWP_E_INVALID_AUTH_TRANSFORM")

    def check_bundle_meaning(self, context, bundle, given):
        """Flags and UDP encapsulation; 'given' has what is new."""
        traffic = context.traffic
        types = [sa["saTransformType"] for sa in bundle["saList"]]
        if "flags" in given:
            need("clearDfOnTunnel" not in given["flags"] or traffic["trafficType"] == "tunnel",
                 "FWP_E_INVALID_FLAGS")
            need("guaranteeEncryption" not in given["flags"] or
                 any(TYPES[t] != "auth" for t in types), "FWP_E_INVALID_CIPHER_TRANSFORM")
        if "udpEncapsulation" in given:
            need(traffic["ipVersion"] == "v4" and "ah" not in types, "FWP_E_INVALID_PARAMETER")

    def check_own_key(self, new, old):
        """With GCM, equal keys in both directions repeat nonces."""
        for one in new:
            for two in old:
                encrypts = TYPES[one["saTransformType"]] == "both"
                field = "cipherTransform" if encrypts else "authTransform"
                key = "cipherKey" if encrypts else "authKey"
                if "GCM" in one.get(field, "") and one.get(field) == two.get(field) and \
                        one[key] == two.get(key):
                    raise Refused("FWP_E_INVALID_CIPHER_TRANSFORM" if encrypts
                                  else "FWP_E_INVALID_AUTH_TRANSFORM")

