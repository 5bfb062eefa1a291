# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Stand-in for the get-pip script that `ansible-test sanity` downloads, for machines that reach a Python registry only.

Copy it to ~/.ansible/test/cache/get_pip_24_2.py (ansible-core 2.19) or get_pip_25_2.py (2.21); then
`ansible-test sanity --requirements --python X.Y` can build its own virtual environments.
"""
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", *wanted]))
