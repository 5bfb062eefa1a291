# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
#
# What the programs in bin/ share: where things are, which Python, virtual environments, Debian packages. Sourced, never run.
# Everything made here is below .work/, which may be deleted at any time.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
WORK=$ROOT/.work
COLLECTIONS=$WORK/collections
export LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1

# Supported pairs, newest first: Python and ansible-core. pip cannot install core 2.21 on Python 3.11.
NEWEST_PYTHONS=(3.13 3.12 3.14)
NEWEST_CORE=2.21
SECOND_CORE=2.19
OLDEST_CORE=2.17

NOT_RUN=() # what this machine could not do, with the reason; said at the end

say() { printf '\n== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
not_run() { NOT_RUN+=("$*"); }

print_not_run() {
  ((${#NOT_RUN[@]})) || return 0
  printf '\nNot run on this machine:\n'
  printf '  - %s\n' "${NOT_RUN[@]}"
}

# install_packages PACKAGE...: Debian's, as root. Fails, saying why, where that is not possible.
APT_UPDATED=''
install_packages() {
  if ! command -v apt-get >/dev/null || [[ $EUID -ne 0 ]]; then
    warn "missing: $*. Install it, or run this as root on Debian or Ubuntu, where it is installed by itself."
    return 1
  fi
  printf 'Installing Debian packages: %s\n' "$*"
  mkdir -p "$WORK/log"
  local turn status=0
  exec {turn}>"$WORK/log/apt.lock"
  flock "$turn" # two suites may want some at the same time, and apt-get update waits for nobody
  install_now "$@" || status=$?
  exec {turn}>&-
  return "$status"
}

install_now() {
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -y -qq)
  if [[ -z $APT_UPDATED ]]; then
    "${apt[@]}" update >>"$WORK/log/apt.log" 2>&1 || warn "apt-get update failed, see .work/log/apt.log"
    APT_UPDATED=yes
  fi
  DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --no-install-recommends "$@" >>"$WORK/log/apt.log" 2>&1 || {
    tail -n 5 "$WORK/log/apt.log" >&2
    warn "apt-get could not install: $*"
    return 1
  }
}

# need_program PROGRAM PACKAGE: whether it is here, or could be installed.
need_program() {
  PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || install_packages "$2"
}

# find_python X.Y: prints the path of a working interpreter of that version, or fails. A pyenv shim may exist and not work,
# and links made here must not depend on pyenv's settings, so the interpreter is asked where it really is.
find_python() {
  local candidate
  for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python3 "/opt/python/$1/bin/python3" python3; do
    # shellcheck disable=SC2016
    "$candidate" -c 'import sys
if "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))' "$1" 2>/dev/null && return 0
  done
  return 1
}

# choose_pairs: sets PAIRS to "python core" lines without repeats, the first is the one everything runs on.
choose_pairs() {
  local python first='' second='' oldest=''
  for python in "${NEWEST_PYTHONS[@]}"; do
    if find_python "$python" >/dev/null; then
      first="$python $NEWEST_CORE"
      break
    fi
  done
  find_python 3.11 >/dev/null && second="3.11 $SECOND_CORE"
  for python in 3.11 3.12; do
    [[ -z $oldest ]] && find_python "$python" >/dev/null && oldest="$python $OLDEST_CORE"
  done
  if [[ -z $first ]]; then
    [[ -n $second ]] || die "Python 3.11 or newer is needed, and only $(python3 --version 2>&1 || echo 'no Python') was found."
    first=$second second=''
    not_run "everything on ansible-core $NEWEST_CORE: it needs Python 3.12 or newer; the full run was made with core $SECOND_CORE"
  elif [[ -z $second ]]; then
    not_run "sanity and unit on ansible-core $SECOND_CORE: Python 3.11 was not found"
  fi
  [[ -n $oldest ]] || not_run "sanity and unit on ansible-core $OLDEST_CORE: neither Python 3.11 nor 3.12 was found"
  PAIRS=("$first")
  [[ -z $second ]] || PAIRS+=("$second")
  [[ -z $oldest ]] || PAIRS+=("$oldest")
}

# [VENV_FOR=PURPOSE] make_venv PYTHON CORE SET...: a virtual environment with that ansible-core and requirements/SET.txt;
# sets VENV. A set is installed again when its file changed. PURPOSE sets one apart whose packages would be seen by others.
make_venv() {
  local turn
  VENV=$WORK/venv-$1-$2${VENV_FOR:+-$VENV_FOR}
  mkdir -p "$WORK"
  exec {turn}>"$VENV.lock" # two suites may want the same one
  flock "$turn"
  fill_venv "$@"
  exec {turn}>&-
}

fill_venv() {
  local python=$1 core=$2 interpreter set stamp requirements=() stamps=()
  shift 2
  interpreter=$(find_python "$python") || die "Python $python was not found."
  if [[ ! -x $VENV/bin/pip ]] || ! "$VENV/bin/python" -c '' 2>/dev/null; then
    rm -rf "$VENV"
    "$interpreter" -c 'import ensurepip, venv' 2>/dev/null || install_packages "python$python-venv" ||
      die "Python $python cannot make virtual environments: install python$python-venv."
    "$interpreter" -m venv "$VENV"
  fi
  for set in "$@"; do
    stamp=$VENV/installed-$set-$({ echo "$core" && cat "$ROOT/requirements/$set.txt"; } | sha256sum | cut -c1-16)
    if [[ ! -e $stamp ]]; then
      requirements+=(-r "$ROOT/requirements/$set.txt")
      stamps+=("$stamp")
    fi
  done
  if ((${#stamps[@]})); then
    printf 'Installing into %s: %s\n' "${VENV#"$ROOT"/}" "$*"
    # The cores' own range keeps a requirement from moving ansible-core.
    "$VENV/bin/pip" install -qq "ansible-core~=$core.0" "${requirements[@]}" || die "pip could not install the requirements."
    touch "${stamps[@]}"
  fi
}

# need_containers: installs what hosts in containers (lab/hosts) need; fails, with what is missing in NO_CONTAINERS.
need_containers() {
  local packages
  read -ra packages < <("$VENV/bin/python" -c 'from lab.hosts.podman import missing_packages; print(*missing_packages())')
  ((${#packages[@]} == 0)) || install_packages "${packages[@]}" || true
  NO_CONTAINERS=$("$VENV/bin/python" -c 'from lab.hosts.podman import why_not; print(why_not())')
  [[ -z $NO_CONTAINERS ]]
}

# link_collection: makes this tree findable as hospital.continuity, and keeps a person's own ansible.cfg out of what runs here.
link_collection() {
  local link=$COLLECTIONS/ansible_collections/hospital/continuity
  mkdir -p "${link%/*}"
  [[ -L $link ]] || ln -s ../../../.. "$link"
  printf '[defaults]\ncollections_path = %s\nhome = %s\nretry_files_enabled = false\n' "$COLLECTIONS" "$WORK/ansible" >"$WORK/ansible.cfg"
  export ANSIBLE_CONFIG=$WORK/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$COLLECTIONS ANSIBLE_HOME=$WORK/ansible
  export PYTHONPATH=$COLLECTIONS${PYTHONPATH:+:$PYTHONPATH}
}
