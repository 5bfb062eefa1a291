# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
#
# bin/demo --whole: Córdoba from four bare nodes to the whole, twice. Sourced by bin/demo, never run.
# The nodes are the API of Proxmox VE, simulated; what takes a machine behind it is planned, and named at the end.

BARE=$OUTPUT/bare.yml # what the inventory says of the lab's nodes beside Córdoba's own
DRILL=122 DRILL_COPY=9122
EMPTIED=pve3
# Containers stop and start on their way to another node.
CONSENT='{"evacuate_allow": ["restart_guest"], "upgrade_allow": ["restart_guest"]}'
CUT='"cut_bridge:vmbr0", "cut_bridge:vmbr1"' # bare nodes have a second one, for corosync
STEPS=()               # in their order
declare -A WORDS=()    # of each step, for people
declare -A CHANGED=()  # "round step": how many tasks changed something
declare -A LASTED=()   # "round step": seconds

whole() {
  [[ -z ${*:-} ]] || die "bin/demo --whole takes no more words"
  prepare
  start_bare_nodes
  one_round first
  one_round second
  say "Summary"
  summary_of_the_whole
}

# one_round ROUND: everything there is, in the order in which a hospital does it.
one_round() {
  if [[ $1 == second ]]; then
    say "Everything once more: nothing should change"
  fi
  form_the_cluster "$1"
  say_who_may_do_what "$1"
  make_the_cluster_as_described "$1"
  if [[ $1 == first ]]; then
    say "What the nodes' network would become: ansible-playbook hospital.continuity.network --check --diff"
    plan_network
    say "What the nodes' backup pools would become: ansible-playbook hospital.continuity.storage --check --diff"
    plan_storage
  fi
  back_up_a_guest "$1"
  restore_a_guest "$1"
  if [[ $1 == first ]]; then
    evacuate_a_node "$1"
  fi
  upgrade_the_cluster "$1"
}

# -- the lab ----------------------------------------------------------------------------------------------------------

start_bare_nodes() {
  local entry name address second apis=()
  say "Starting four nodes of Proxmox VE, each on its own, and the machine for trials (all simulated)"
  rm -rf "$OUTPUT/secrets"
  start_test_lab
  start_program cordoba python -m lab.pve --bare --names "$NODES" --env-file "$OUTPUT/cordoba.environment"
  # shellcheck disable=SC1091
  source "$OUTPUT/cordoba.environment"
  ROOT_PASSWORD=$PVE_PASSWORD
  export CORDOBA_ROOT_PASSWORD=$ROOT_PASSWORD CORDOBA_SECRETS=$OUTPUT/secrets
  {
    echo "all:"
    # What nodes keep under /etc/pve and /var, here; a reboot that reboots nobody.
    cat <<TEXT
  vars:
    node_evacuation_notes: $OUTPUT/notes
    node_upgrade_notes: $OUTPUT/notes
    run_lock_notes: $OUTPUT/notes
    node_upgrade_reboot_command: [lab-reboot]
    node_upgrade_reboot_flag: $OUTPUT/reboot-required
    node_upgrade_ceph: $OUTPUT/ceph.conf
    node_upgrade_poll: 2
    node_upgrade_settle: 5
TEXT
    echo "  hosts:"
    for entry in $LAB_NODES; do
      IFS='=' read -r name address second <<<"$entry"
      echo "    $name: {cluster_address: $address, cluster_links: [{link: 0, address: $address}, {link: 1, address: $second}]}"
      echo "  $name: https://$address:$PVE_PORT" >&2
      apis+=("$address")
    done
  } >"$BARE"
  APIS=$(IFS=, && echo "${apis[*]}")
  PROGRAMS=$BARE.programs.yml
  {
    echo "all:"
    echo "  hosts:"
    for entry in $LAB_PROGRAMS; do
      echo "    ${entry%%=*}: {ansible_connection: local, ansible_python_interpreter: ${entry#*=}, cluster_host: cordoba}"
    done
  } >"$PROGRAMS"
}

as_root() {
  unset PVE_TOKEN_ID PVE_TOKEN_SECRET
  PVE_HOST=${APIS%%,*}
  export PVE_HOST PVE_USER=root@pam PVE_PASSWORD=$ROOT_PASSWORD
}

as_automation() {
  unset PVE_USER PVE_PASSWORD
  PVE_TOKEN_ID='automation@pve!ansible' PVE_TOKEN_SECRET=$(<"$OUTPUT/secrets/automation@pve!ansible")
  # Any of them, so that one may be rebooted.
  PVE_HOST=$APIS
  export PVE_HOST PVE_TOKEN_ID PVE_TOKEN_SECRET
}

# -- the steps --------------------------------------------------------------------------------------------------------

form_the_cluster() {
  begin "$1" form "Form the cluster of four nodes" "ansible-playbook hospital.continuity.cluster -i $HOSPITAL --limit cordoba_nodes"
  as_root
  play "$1" form hospital.continuity.cluster --limit cordoba_nodes --tags cluster -e ansible_connection=local \
    -e "ansible_python_interpreter=$VENV/bin/python" -e "cluster_api_port=$PVE_PORT" -e "cluster_ca_path=$PVE_CA" -e "cluster_fingerprint=$LAB_FINGERPRINT"
}

say_who_may_do_what() {
  begin "$1" access "Give Ansible a user, a role and a token of its own" "ansible-playbook hospital.continuity.site -i $HOSPITAL --limit cordoba --tags access"
  as_root
  play "$1" access hospital.continuity.site --limit cordoba --tags access
  as_automation
}

make_the_cluster_as_described() {
  begin "$1" site "Make storages, guests, pools, high availability, backup jobs" "ansible-playbook hospital.continuity.site -i $HOSPITAL --limit clusters"
  play "$1" site hospital.continuity.site --limit clusters -e "summary_directory=$OUTPUT"
}

# No playbook: jobs make the backups every night, and this is one that somebody wants now.
back_up_a_guest() {
  local log=$OUTPUT/$1-backup.log began=$SECONDS
  begin "$1" backup "Back a guest up, unless its backup is of today" "ansible cordoba -i $HOSPITAL -m hospital.continuity.pve_backup"
  ansible cordoba -i "$HOSPITAL" -m hospital.continuity.pve_backup -a "{\"vmid\": [$DRILL], \"storage\": \"backup\", \"newer_than\": \"24h\"}" \
    </dev/null >"$log" 2>"$log.errors" || failed "$log"
  note "$1" backup "$(grep -c '^cordoba | CHANGED' "$log" || true)" "$began"
}

restore_a_guest() {
  begin "$1" restore "Restore that guest beside itself" "ansible-playbook hospital.continuity.restore -i $HOSPITAL -e restore_guest=$DRILL -e restore_newid=$DRILL_COPY"
  play "$1" restore hospital.continuity.restore -e restore_cluster=cordoba -e "restore_guest=$DRILL" -e "restore_newid=$DRILL_COPY" -e restore_name=drill
  told restore "$1"
}

# There and back: doing it once more would do something.
evacuate_a_node() {
  begin "$1" evacuate "Empty a node: its guests go to the others" "ansible-playbook hospital.continuity.evacuate -i $HOSPITAL -e evacuate_node=$EMPTIED"
  mkdir -p "$OUTPUT/notes"
  play "$1" evacuate hospital.continuity.evacuate -i "$PROGRAMS" -e "evacuate_node=$EMPTIED" -e "$CONSENT"
  begin "$1" back "Bring its guests back" "ansible-playbook hospital.continuity.evacuate -i $HOSPITAL -e evacuate_node=$EMPTIED -e evacuate_back=true"
  play "$1" back hospital.continuity.evacuate -i "$PROGRAMS" -e "evacuate_node=$EMPTIED" -e evacuate_back=true -e "$CONSENT"
}

upgrade_the_cluster() {
  begin "$1" upgrade "Upgrade node by node, with the guests moved" "ansible-playbook hospital.continuity.upgrade -i $HOSPITAL"
  play "$1" upgrade hospital.continuity.upgrade -i "$PROGRAMS" -e upgrade_cluster=cordoba -e "$CONSENT"
}

# -- running and counting ---------------------------------------------------------------------------------------------

# begin ROUND STEP WORDS COMMAND: says what comes.
begin() {
  if [[ $1 == first ]]; then
    STEPS+=("$2")
    WORDS[$2]=$3
  fi
  say "$3: $4"
}

# play ROUND STEP PLAYBOOK ARGUMENT...: what it does, task by task, then the recap; the whole run if it fails.
play() {
  local log=$OUTPUT/$1-$2.log began=$SECONDS
  ansible-playbook "${@:3}" -i "$HOSPITAL" -i "$BARE" </dev/null 2>"$log.errors" | tee "$log" | progress || failed "$log"
  recap "$log" || die "the playbook found no host to work on"
  note "$1" "$2" "$(sum_of changed "$log")" "$began"
}

failed() {
  cat "$1" "$1.errors" >&2
  die "that failed"
}

# told STEP ROUND: what a playbook said at its end.
told() {
  sed -n '/^TASK .*Say what was done/,/^PLAY RECAP/{ s/^        "\(.*\)",\{0,1\}$/  \1/p }' "$OUTPUT/$2-$1.log"
}

# note ROUND STEP CHANGED BEGAN: for the table; the second round has nothing to do.
note() {
  CHANGED[$1 $2]=$3 LASTED[$1 $2]=$((SECONDS - $4))
  echo "($3 changed, ${LASTED[$1 $2]} s; the whole run is in ${OUTPUT#"$ROOT"/}/$1-$2.log)"
  [[ $1 == first || $3 == 0 ]] || die "the second run should have found nothing to do, and says changed=$3"
}

# -- the end ----------------------------------------------------------------------------------------------------------

summary_of_the_whole() {
  local step
  cat "$OUTPUT/cordoba.txt"
  echo
  printf '  %-60s %18s %18s\n' "what was done" "first run" "second run"
  for step in "${STEPS[@]}"; do
    printf '  %-60s %18s %18s\n' "${WORDS[$step]}" "$(told_of "first $step")" "$(told_of "second $step")"
  done
  cat <<TEXT

Four nodes that knew nothing of each other are the cluster that $HOSPITAL describes, and the second run changed nothing. It took $SECONDS s.
  root@pam formed the cluster and made the token; everything after that was done by automation@pve, with the role HospitalAutomation.
  $EMPTIED was emptied and got its guests back; then each node was emptied, upgraded, rebooted and filled again.
  Guest $DRILL (patients) was restored from its backup as guest $DRILL_COPY (drill), with its cables out; the original was not touched.
TEXT
  cat <<TEXT

What is real here: Ansible, the collection, every request and every answer. What is not, because this machine has no four servers: Proxmox VE itself
is simulated (lab/pve, held to recordings of a real 9.1 cluster), so corosync, disks and guests are entries in its memory. The nodes' network and storage
were planned and not made; they are made in tests, on containers and emulated machines (docs/development.md). The role node_base changes files of a node, and no
node is here to have them.
docs/guide.md goes the same way step by step, and says what survives what.
TEXT
}

# told_of "ROUND STEP": for the table.
told_of() {
  if [[ -n ${CHANGED[$1]:-} ]]; then
    echo "${CHANGED[$1]} changed, ${LASTED[$1]} s"
  else
    echo "-"
  fi
}
