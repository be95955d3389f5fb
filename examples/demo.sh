#!/bin/sh
# Cuts gaps into two real files of this repository and has Lacuna fill them. The files stay as they
# are: what is filled is a copy on standard input.
# usage: demo.sh [LACUNA]     (`make demo` calls it with the environment's own command)
set -eu
lacuna=${1:-lacuna}
cd "$(dirname "$0")/.."
bold='' dim='' plain=''
if [ -t 1 ]; then bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m'); fi

# gap FILE LANGUAGE LEFT: takes away what stands right of LEFT on its line, and fills that.
gap() {
    line=$(grep -nF -- "$3" "$1" | head -n 1 | cut -d: -f1)
    whole=$(sed -n "${line}p" "$1")
    written=${whole#*"$3"}
    left=${whole%"$written"}
    printf '\n%s%s:%s%s  %sa person wrote:%s %s\n\n' \
        "$bold" "$1" "$line" "$plain" "$dim" "$plain" "$written"
    LEFT=$left awk -v line="$line" 'NR == line { print ENVIRON["LEFT"]; next } { print }' "$1" |
        "$lacuna" fill - --language "$2" --at "$line:$((${#left} + 1))" --watch ||
        [ $? -eq 1 ] # nothing to suggest, and it said why
}

echo 'Four gaps in two files of this repository; nothing is written. Each run loads the model anew.'
gap engine/card.py python 'for name, fact in card.files.'
gap engine/card.py python 'return hashlib.'
gap lsp_server/source_file.py python 'except UnicodeDecodeError as '
gap lsp_server/source_file.py python 'width = len('
printf '\n%s\n' "Try your own: $lacuna fill FILE --at LINE:COLUMN --watch     (or --lines A-B; --help says the rest)"
