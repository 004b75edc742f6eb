# Sourced by deploy/up and deploy/test: makes sure that everything they need is installed.
# Packages come from apt; services that are there already are left as they are.

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "cannot install$missing: neither root nor sudo; please install them and try again"
    fi
}

# rustup installs here, and not every shell has it in its PATH.
find_cargo() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || fail "there is no cargo: install Rust, see https://rustup.rs"
}

# The packages whose files are not there.
missing_packages() {
    missing=''
    [ -n "$(compgen -G '/usr/lib/postgresql/*/bin/postgres')" ] || missing="$missing postgresql"
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
    # The linker, and what it links programs with.
    command -v cc >/dev/null || missing="$missing gcc libc6-dev"
    # The allocator is built with it.
    command -v make >/dev/null || missing="$missing make"
    # A pooler before Postgres, for the tests of it.
    [ -z "${with_pgbouncer:-}" ] || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
    # Debian has promtool, which tests the alerts, in one package with Prometheus.
    [ -z "${with_promtool:-}" ] || command -v promtool >/dev/null || missing="$missing prometheus"
}

install_missing_packages() {
    missing_packages
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        fail "please install$missing and try again: there is no apt-get here to do it with"
    echo "installing$missing" >&2
    local log
    log=$(mktemp)
    if ! apt_install >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install$missing"
    fi
    rm -f "$log"
}

apt_install() {
    # The packages start servers of their own when they are installed, which nobody here needs; a
    # policy of the machine's own is respected.
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then
        policy=''
    else
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    { as_root apt-get update &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install --yes --no-install-recommends $missing; } </dev/null || status=$?
    [ -z "$policy" ] || as_root rm -f "$policy"
    if [ "$status" = 0 ] && [ -d /run/systemd/system ]; then
        # Nor at the next boot: these were not here before, so nobody else relies on them.
        local service
        for service in postgresql rabbitmq-server prometheus pgbouncer; do
            case $missing in *"$service"*) as_root systemctl --quiet disable "$service" || true ;; esac
        done
    fi
    return "$status"
}

# Where cargo puts what it builds; it may be configured to be elsewhere.
target_folder() {
    cargo metadata --format-version 1 --no-deps --locked |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
