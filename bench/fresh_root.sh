#!/bin/bash
# A first-time user's path, in a Debian root that holds nothing but python3, python3-venv and make.
#
#   sudo bench/fresh_root.sh                             # make demo, then make test-fast
#   sudo bench/fresh_root.sh 'make demo' 'make test'     # other commands, each timed
#   sudo bench/fresh_root.sh --worktree 'make .venv'     # this folder as it stands, not its last commit
#
# Needs root, debootstrap and git on this machine. The commands run as an ordinary user. Package index and mirror are the ones
# that this machine's own pip and apt settings name, proxies included. Settings:
#   SUITE=bookworm   FRESH_ROOT_BASE=/var/tmp (about 700 MB)   FRESH_ROOT_DEBS=folder that keeps the .deb files between runs
#   MIRROR=          a Debian mirror, when apt's settings name none for the suite
# Prints the last lines and the wall time of each step; ends with the first failing command's exit code.
set -euo pipefail

SUITE=${SUITE:-bookworm}
BASE=${FRESH_ROOT_BASE:-/var/tmp}
LAST_LINES=${LAST_LINES:-15}
HERE=$(cd "$(dirname "$0")/.." && pwd)

die() { printf 'fresh_root: %s\n' "$*" >&2; exit 1; }

# Mounts live in a mount namespace of this script: they are gone when it is, even after kill -9.
if [ "${FRESH_ROOT_INSIDE:-}" != 1 ]; then
    [ "$(id -u)" = 0 ] || die "needs root: sudo $0"
    for tool in debootstrap git unshare chroot; do
        command -v "$tool" >/dev/null || die "needs $tool on this machine"
    done
    FRESH_ROOT_INSIDE=1 exec unshare --mount --propagation private -- "$0" "$@"
fi

SOURCE=commit
if [ "${1:-}" = --worktree ]; then
    SOURCE=worktree
    shift
fi
[ $# -gt 0 ] || set -- 'make demo' 'make test-fast'

ROOT=$(mktemp -d "$BASE/fresh_root.XXXXXXXX")
chmod 0755 "$ROOT"  # it becomes / for an ordinary user
LOGS=$(mktemp -d "$BASE/fresh_root.logs.XXXXXXXX")

RUNNING=

mounted() { awk -v root="$ROOT/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }

clean_up() {
    code=$?
    trap - EXIT
    if [ -n "$RUNNING" ]; then
        kill -TERM -- "-$RUNNING" 2>/dev/null && sleep 1
        kill -KILL -- "-$RUNNING" 2>/dev/null || true
    fi
    mounted | while IFS= read -r place; do
        umount "$place" 2>/dev/null || umount -l "$place" || true
    done
    # A folder of this machine may be mounted in there: nothing is deleted while one still is.
    if [ -n "$(mounted)" ]; then
        printf 'fresh_root: %s still has mounts, left in place\n' "$ROOT" >&2
    else
        rm -rf --one-file-system -- "$ROOT"
    fi
    if [ "$code" = 0 ]; then rm -rf -- "$LOGS"; else printf 'logs: %s\n' "$LOGS" >&2; fi
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

timed() {  # timed LABEL COMMAND...: run it into a log, print its last lines and wall time
    local label=$1 log started ended code=0
    shift
    log=$LOGS/$(printf '%s' "$label" | tr -c 'A-Za-z0-9._-' _).log
    printf '\n== %s\n' "$label"
    started=$(date +%s.%N)
    # In the background and in a group of its own, so that a signal ends it at once and with all that it started.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    RUNNING=$!
    set +m
    wait "$RUNNING" || code=$?
    RUNNING=
    ended=$(date +%s.%N)
    tail -n "$LAST_LINES" "$log"
    printf -- '-- %s: exit %d, %.1f s\n' "$label" "$code" "$(awk "BEGIN { print $ended - $started }")"
    return "$code"
}

build_root() {
    local mirror proxy
    mirror=${MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
        | awk -v suite="$SUITE" '$1 == suite && $2 == "main" { print $3; exit }')}
    proxy=$(apt-config dump 2>/dev/null | awk -F'"' 'tolower($1) ~ /^acquire::http::proxy / { print $2; exit }')
    [ -z "$proxy" ] || export http_proxy="${http_proxy:-$proxy}"
    set -- --variant=minbase --include=python3,python3-venv,make
    if [ -n "${FRESH_ROOT_DEBS:-}" ]; then
        mkdir -p "$FRESH_ROOT_DEBS"
        set -- "$@" --cache-dir="$(cd "$FRESH_ROOT_DEBS" && pwd)"
    fi
    debootstrap "$@" "$SUITE" "$ROOT" ${mirror:+"$mirror"}
}

# What this machine's pip has been told (all its files and variables, merged) becomes the root's /etc/pip.conf. Folders it
# names are mounted read-only at the same place; single files (certificates) are copied.
hand_over_pip() {
    python3 -m pip config list 2>/dev/null | python3 -c '
import ast, configparser, sys
merged = configparser.RawConfigParser()
lines = [line.rstrip("\n").partition("=") for line in sys.stdin if "=" in line]
for key, _, value in sorted(lines, key=lambda line: line[0].startswith(":env:")):  # variables win over files
    section, _, option = key.rpartition(".")
    section = "global" if section == ":env:" else section
    if not merged.has_section(section):
        merged.add_section(section)
    merged.set(section, option, ast.literal_eval(value))
with open(sys.argv[1], "w") as out:
    merged.write(out)
for section in merged.sections():
    for _, value in merged.items(section):
        for word in value.split():
            word = word.removeprefix("file://")
            if word.startswith("/"):
                print(word)
' "$ROOT/etc/pip.conf" >"$LOGS/pip.paths"
    # An index of links usually keeps its files beside itself: simple/ and packages/.
    while IFS= read -r path; do
        case $path in */simple | */simple/) path=$(dirname "$path") ;; esac
        [ "$path" != / ] || continue
        if [ -d "$path" ]; then
            mkdir -p "$ROOT$path"
            mount --bind "$path" "$ROOT$path"
            mount -o remount,bind,ro "$ROOT$path"
        elif [ -f "$path" ]; then
            mkdir -p "$ROOT$(dirname "$path")"
            cp -L "$path" "$ROOT$path"
        fi
    done < <(sort -u "$LOGS/pip.paths")
}

hand_over_apt() {
    rm -f "$ROOT/etc/apt/sources.list"
    for part in sources.list sources.list.d auth.conf.d preferences.d; do
        [ ! -e "/etc/apt/$part" ] || cp -RL "/etc/apt/$part" "$ROOT/etc/apt/"
    done
    apt-config dump 2>/dev/null | grep '^Acquire::' >"$ROOT/etc/apt/apt.conf.d/90machine" || true
}

hand_over_network() {
    for file in /etc/resolv.conf /etc/hosts; do
        [ ! -e "$file" ] || cp -L "$file" "$ROOT$file"
    done
}

checkout() {
    mkdir -p "$ROOT/home/examiner"
    if [ "$SOURCE" = commit ]; then
        git -c safe.directory="$HERE/.git" clone --quiet --no-local "$HERE" "$ROOT/home/examiner/triage"
    else
        mkdir "$ROOT/home/examiner/triage"
        (cd "$HERE" && git -c safe.directory="$HERE" ls-files -z --cached --others --exclude-standard \
            | while IFS= read -r -d '' name; do [ ! -e "$name" ] || printf '%s\0' "$name"; done \
            | tar -cf - --null --files-from=-) | tar -xf - -C "$ROOT/home/examiner/triage"
    fi
    chroot "$ROOT" useradd --uid 1000 --shell /bin/bash examiner
    chroot "$ROOT" chown -R examiner: /home/examiner
    chown 1000:1000 "$ROOT/etc/pip.conf"  # it may hold the index's password
    chmod 0600 "$ROOT/etc/pip.conf"
}

mount_kernel() {
    mount -t proc proc "$ROOT/proc"
    mkdir -p "$ROOT/dev/shm"
    mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev/shm"
}

as_user() {  # as_user COMMAND: with an ordinary login's environment, and this machine's proxies
    local keep=()
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!name:-}" ] || keep+=("$name=${!name}")
    done
    chroot --userspec=1000:1000 "$ROOT" /usr/bin/env -i HOME=/home/examiner USER=examiner LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/local/bin:/usr/bin:/bin "${keep[@]}" /bin/sh -c "cd ~/triage && $1"
}

timed "debootstrap $SUITE" build_root
mount_kernel
hand_over_network
hand_over_apt
hand_over_pip
checkout
result=0
for command in "$@"; do
    timed "$command" as_user "$command" || { result=$?; break; }
done
printf '\n== size of the checkout with its environment: %s\n' "$(du -shx "$ROOT/home/examiner/triage" | cut -f1)"
exit "$result"
