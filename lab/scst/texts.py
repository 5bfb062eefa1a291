# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Texts that SCST answers unasked: the help of its mgmt and trace_level files, names of SCSI types."""

from __future__ import annotations

TYPES = {
    0: "0 - Direct-access device (e.g., magnetic disk)\n",
    1: "1 - Sequential-access device (e.g., magnetic tape)\n",
    5: "5 - CD-ROM device\n",
    8: "8 - Medium changer device (e.g., jukeboxes)\n",
}
DEVICE_GROUPS = 'Usage: echo "create group_name" >mgmt\n       echo "del group_name" >mgmt\n'
HANDLER = 'Usage: echo "add_device H:C:I:L" >mgmt\n       echo "del_device H:C:I:L" >mgmt\n'
GROUPS = 'Usage: echo "create GROUP_NAME" >mgmt\n       echo "del GROUP_NAME" >mgmt\n'
INITIATORS = (
    'Usage: echo "add INITIATOR_NAME" >mgmt\n'
    '       echo "del INITIATOR_NAME" >mgmt\n'
    '       echo "move INITIATOR_NAME DEST_GROUP_NAME" >mgmt\n'
    '       echo "clear" >mgmt\n'
)
LUNS = (
    'Usage: echo "add H:C:I:L lun [parameters]" >mgmt\n'
    '       echo "add VNAME lun [parameters]" >mgmt\n'
    '       echo "del lun" >mgmt\n'
    '       echo "replace H:C:I:L lun [parameters]" >mgmt\n'
    '       echo "replace VNAME lun [parameters]" >mgmt\n'
    '       echo "replace_no_ua H:C:I:L lun [parameters]" >mgmt\n'
    '       echo "replace_no_ua VNAME lun [parameters]" >mgmt\n'
    '       echo "clear" >mgmt\n'
    "\n"
    "where parameters are one or more param_name=value pairs separated by ';'\n"
    "\n"
    "The following parameters available: read_only\n"
)
ISCSI = (
    'Usage: echo "add_target target_name [parameters]" >mgmt\n'
    '       echo "del_target target_name" >mgmt\n'
    '       echo "add_attribute <attribute> <value>" >mgmt\n'
    '       echo "del_attribute <attribute> <value>" >mgmt\n'
    '       echo "add_target_attribute target_name <attribute> <value>" >mgmt\n'
    '       echo "del_target_attribute target_name <attribute> <value>" >mgmt\n'
    "\n"
    "where parameters are one or more param_name=value pairs separated by ';'\n"
    "\n"
    "The following target driver attributes available: IncomingUser, OutgoingUser\n"
    "The following target attributes available: IncomingUser, OutgoingUser, allowed_portal\n"
    "\n"
)


def virtual(parameters: str) -> str:
    """A handler of virtual devices."""
    return (
        'Usage: echo "add_device device_name [parameters]" >mgmt\n'
        '       echo "del_device device_name" >mgmt\n'
        "\n"
        "where parameters are one or more param_name=value pairs separated by ';'\n"
        "\n"
        f"The following parameters available: {parameters}\n"
        "\n"
    )


_COMMON = "active, {}bind_alua_state, blocksize, cluster_mode, dif_filename, dif_mode, dif_static_app_tag, dif_type, "
_COMMON += "filename, numa_node_id, nv_cache, {}read_only, removable, rotational, thin_provisioned, tst, t10_dev_id, "
_COMMON += "write_through"
VIRTUAL = {
    "vdisk_fileio": virtual(_COMMON.format("async, ", "o_direct, ")),
    "vdisk_blockio": virtual(_COMMON.format("", "")),
    # Its text was not recorded, only that it has 362 characters.
    "vdisk_nullio": virtual("x" * (362 - len(virtual("")))),
    "vcdrom": virtual("tst"),
}

_TOKENS = "function, line, pid, out_of_mem, special, scsi, mgmt, minor, scsi_serializing, retry, pr"


def trace_level(more: str = "") -> str:
    """`more`: tokens beside the common ones."""
    return (
        "out_of_mem | pid | special | mgmt\n"
        "\n"
        "\n"
        "Usage:\n"
        '\techo "all|none|default" >trace_level\n'
        '\techo "value DEC|0xHEX|0OCT" >trace_level\n'
        '\techo "add|del TOKEN" >trace_level\n'
        "\n"
        f"where TOKEN is one of [{_TOKENS}{more}]\n"
    )


TRACE = trace_level()
# Seven characters more were recorded; the word is the one that SCST's README gives.
TRACE_VIRTUAL = trace_level(", order")
TRACE_ISCSI = trace_level(", d_write, conn, conn_dbg, iov, pdu, net_page")

LATENCY = "state count min max avg stddev\n"
DIF_CAPABILITIES = "dif_supported, hw_dif_type1_supported, hw_dif_type2_supported, hw_dif_type3_supported\n"
DIF_FAILED = "\tapp\tref\tguard\ntgt\t0\t0\t0\nscst\t0\t0\t0\ndev\t0\t0\t0\n"


def pool_statistics(name: str) -> str:
    """Of one of SCST's memory pools, unused."""
    lines = [
        f"{'Name':<30} {'Hit':<11} {'Total':<11} {'% merged':<11} Cached (P/I/O)",
        f"{name:<30} {0:<11} {0:<11} {0:<11} 0/0/0",
    ]
    lines += [f"  {name + f'-{4 * 2**step}K':<28} {0:<11} {0:<11} {0}" for step in range(11)]
    lines.append(f"  {'big/other':<40} {'0/0':<11} 0/0")
    return "\n".join(lines) + "\n"
