#!/bin/bash
# A cluster of this machine alone, to try submit.sh: starts munged, slurmctld and slurmd as root, without systemd, with all
# their state in FOLDER. On Debian: apt-get install slurmctld slurmd slurm-client munge
#   scripts/cluster/one-machine.sh FOLDER && export SLURM_CONF=FOLDER/slurm.conf
# To end it: kill $(cat FOLDER/slurmd.pid FOLDER/slurmctld.pid)
set -euo pipefail
folder=$(realpath -m "${1:?usage: scripts/cluster/one-machine.sh FOLDER}")
mkdir -p "$folder/state" "$folder/spool"
memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)

# Processes are followed by their parents: no cgroups, no database.
cat > "$folder/slurm.conf" <<END
ClusterName=one
SlurmctldHost=$(hostname -s)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/completed.txt
NodeName=$(hostname -s) CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$(hostname -s) Default=YES MaxTime=INFINITE State=UP
END

export SLURM_CONF="$folder/slurm.conf"

if ! munge -n > /dev/null 2>&1; then
    mkdir -p /run/munge
    chown munge: /run/munge
    runuser -u munge -- munged
fi

slurmctld
slurmd
echo "running; now: export SLURM_CONF=$SLURM_CONF; sinfo"
