#!/bin/sh
# Sets up what is missing, then opens the page: ./start.sh [--port 8002 --lang ja --with sage …]
# Needs no Python: uv brings one. Here uv is found or fetched; all else is done by src/eichi/setup.
set -u
script=$0
while [ -h "$script" ]; do # called by a link to it
    link=$(readlink -- "$script") || break
    case $link in /*) script=$link ;; *) case $script in */*) script=${script%/*}/$link ;; *) script=$link ;; esac ;; esac
done
# Where CDPATH is set, cd would look in other folders first.
case $script in */*) CDPATH='' cd -- "${script%/*}" || exit ;; esac
python=.venv/bin/python
# Another program's Python is none of ours; which one uv brings start.py says, unless one that is there is named.
unset PYTHONHOME PYTHONPATH
[ -x "${UV_PYTHON:-}" ] || unset UV_PYTHON

say() { # a sentence of the program, in the language of who sits there
    while IFS='"' read -r _ id _ text _; do
        [ "$id" = "$1" ] && printf '%s\n' "$text" >&2 && return
    done <"src/eichi/locales/$language.json"
}

find_uv() { # the program's own, else the user's, if it is new enough
    for uv in .uv/uv .uv/bin/uv "$(command -v uv)" "${HOME:-}/.local/bin/uv"; do
        [ -x "$uv" ] || continue
        case $("$uv" pip install --help 2>/dev/null) in *--torch-backend*) return ;; esac
    done
    uv=
    return 1
}

fetch_uv() { # into this folder: by a pip that is there, else by its own installer; what goes wrong they say
    say start.uv
    why=start.uv.tools
    for pip in python3 python; do
        "$pip" -m pip --version >/dev/null 2>&1 || continue
        why=start.uv.failed
        PIP_ROOT_USER_ACTION=ignore "$pip" -m pip install --quiet --disable-pip-version-check --upgrade --target .uv \
            --only-binary :all: --require-hashes --requirement install/uv.txt && find_uv && return
    done
    while IFS='= ' read -r name _ version _; do [ "$name" = uv ] && break; done <install/uv.txt
    installer=https://astral.sh/uv/$version/install.sh
    mkdir -p .uv
    for get in 'curl -LsSf --output' 'wget -O'; do
        command -v "${get%% *}" >/dev/null || continue
        why=start.uv.failed
        $get .uv/install.sh "$installer" && UV_UNMANAGED_INSTALL=$PWD/.uv sh .uv/install.sh && find_uv && return
    done
    find_uv # another start may have brought it meanwhile
}

has_room() { # for uv; a limit on the size of files counts as well
    command -v dd >/dev/null || return 0
    (dd if=/dev/zero of=.uv/room bs=1048576 count=64) >/dev/null 2>&1
    full=$?
    rm -f .uv/room
    return $full
}

if ! "$python" start.py check "$@" 2>/dev/null; then
    code=${EICHI_LANGUAGE:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}} before=
    for one; do
        case $before in --lang) code=$one ;; esac
        case $one in --lang=*) code=${one#*=} ;; esac
        before=$one
    done
    case $code in ja*) language=ja ;; ru*) language=ru ;; zh*) language=zh-TW ;; *) language=en ;; esac
    # The set-up's lock: where it cannot be made, nothing can.
    (true >>.venv.lock) 2>/dev/null || { say start.uv.folder; exit 1; }
    find_uv || fetch_uv || { has_room || why=start.uv.room; say "$why"; exit 1; }
    case $uv in
    .uv/*) # with it, what it keeps lies in this folder as well
        export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.uv/cache}" UV_PYTHON_INSTALL_DIR="${UV_PYTHON_INSTALL_DIR:-$PWD/.uv/python}"
        ;;
    esac
    "$uv" run --quiet --script start.py prepare "$@" || exit
fi
exec "$python" start.py open "$@"
