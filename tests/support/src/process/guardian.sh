# Ends what it watches over as soon as its input ends, that is, as soon as the program that holds
# the other end of the pipe is gone, in whatever way: a SIGKILL cannot be caught, but the kernel
# closes the pipe.
#
# Input, one order a line:
#   watch PID SIGNAL   end this process with SIGNAL, and with KILL what is left after 3 s
#   forget PID         it has ended by itself
#   remove FOLDER      delete it when everything has ended

trap '' HUP INT TERM QUIT

watched=''
folders=''
newline='
'

tree() {
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done
}

forget() {
    rest=''
    for entry in $watched; do
        [ "${entry%:*}" = "$1" ] || rest="$rest $entry"
    done
    watched=$rest
}

any_alive() {
    for pid in $everyone; do
        kill -s 0 "$pid" 2>/dev/null && return 0
    done
    return 1
}

while read -r order argument signal; do
    case $order in
    watch) watched="$watched $argument:$signal" ;;
    forget) forget "$argument" ;;
    remove) folders="$folders$argument${signal:+ $signal}$newline" ;;
    esac
done

if [ -n "$watched" ]; then
    everyone=$(for entry in $watched; do tree "${entry%:*}"; done)
    for entry in $watched; do kill -s "${entry#*:}" "${entry%:*}" 2>/dev/null; done
    # Whoever was stopped must run to hear it.
    kill -s CONT $everyone 2>/dev/null
    tries=0
    while [ $tries -lt 60 ] && any_alive; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -s KILL $everyone 2>/dev/null
fi

IFS=$newline
for folder in $folders; do rm -rf -- "$folder"; done
