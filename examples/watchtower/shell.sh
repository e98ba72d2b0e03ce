#!/bin/sh
# A Watchtower device in a shell, with nc: says something on a channel, and prints what is said there.
# shell.sh [HOST [PORT [CHANNEL [WORDS]]]]
host=${1:-127.0.0.1} port=${2:-3033} channel=${3:-5} words=${4:-hello from a shell}

byte() { printf "\\$(printf %03o "$1")"; }
number() { for shift in 0 8 16 24; do byte $(($1 >> shift & 255)); done; }
take() { dd bs=1 count="$1" 2>/dev/null; }
# Four bytes, the lowest first, as a number.
read_number() { take 4 | od -An -tu1 | { read -r a b c d; echo $((a + b * 256 + c * 65536 + d * 16777216)); }; }
accepted() { [ "$(take 1)" = A ] || { echo "the server says no" >&2; exit 1; }; read_number; }

pipe=$(mktemp -u) && mkfifo "$pipe" || exit 1
trap 'rm -f "$pipe"' EXIT INT TERM
nc "$host" "$port" <"$pipe" | {
    exec 3>"$pipe"
    printf R >&3
    id=$(accepted) || exit 1
    { printf J; number "$id"; number "$channel"; } >&3
    accepted >/dev/null || exit 1
    { printf M; number "$id"; number "$channel"; number "$(printf %s "$words" | wc -c)"; printf %s "$words"; } >&3
    while [ "$(take 1)" = M ]; do
        sender=$(read_number) && take 6 >/dev/null
        length=$(read_number)
        printf '%s: %s\n' "$sender" "$(take "$length")"
    done
}
