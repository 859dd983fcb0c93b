# Sourced by the installation scripts. `step TEXT COMMAND...` runs a command and shows its progress.
# On a terminal, one line shows the elapsed time and the last line of output; elsewhere, one line is
# printed when the command starts and one when it ends. All output goes to a log file. If the command
# fails, the end of the log and its path are shown.
# shellcheck shell=bash
steps_log=${SPOTSWARM_SETUP_LOG:-$PWD/build/setup.log}

step() {
    local text=$1 began=$SECONDS status=0 pid
    shift
    mkdir -p "${steps_log%/*}"
    printf '\n== %s %s\n$ %s\n' "$(date +%T)" "$text" "$*" >>"$steps_log"
    "$@" >>"$steps_log" 2>&1 </dev/null &
    pid=$!
    # A background job ignores Ctrl-C, so forward the signal.
    trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
    if [[ -t 2 ]]; then
        while kill -0 "$pid" 2>/dev/null; do
            _steps_line "$text ($((SECONDS - began)) s): $(tail -n 1 "$steps_log" | tr -d '\r')"
            sleep 0.5
        done
    else
        echo "$text" >&2
    fi
    wait "$pid" || status=$?
    trap - INT TERM
    [[ -t 2 ]] && printf '\r\033[K' >&2
    if ((status)); then
        tail -n 20 "$steps_log" >&2
        echo "error: $text failed after $((SECONDS - began)) s" >&2
        echo "next:  read $steps_log, fix the problem and run the same command again" >&2
        return "$status"
    fi
    echo "$text: done in $((SECONDS - began)) s" >&2
}

_steps_line() {
    local width
    width=$(tput cols 2>/dev/null || echo 80)
    printf '\r%s\033[K' "${1:0:width-1}" >&2
}
