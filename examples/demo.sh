#!/bin/sh
# Cuts gaps into two real files of this repository and has Lacuna fill them; the files stay as they are.
# usage: demo.sh [LACUNA]     (`make demo` calls it with the environment's own command)
set -eu
lacuna=${1:-lacuna}
cd "$(dirname "$0")/.."

# gap FILE LANGUAGE LEFT: takes away what stands right of LEFT on its line, and fills that.
gap() {
    line=$(grep -nF -- "$3" "$1" | head -1 | cut -d: -f1)
    whole=$(sed -n "${line}p" "$1")
    written=${whole#*"$3"}
    left=${whole%"$written"}
    printf '\n\033[1m%s:%s\033[0m  a person wrote: \033[2m%s\033[0m\n\n' "$1" "$line" "$written"
    LEFT=$left awk -v line="$line" 'NR == line { print ENVIRON["LEFT"]; next } { print }' "$1" |
        "$lacuna" fill - --language "$2" --at "$line:$((${#left} + 1))" --watch ||
        [ $? -eq 1 ] # nothing to suggest, and it says why
}

gap lsp_server/source_file.py python 'return cls(name, '
gap lsp_server/source_file.py python 'width = len('
gap editors/vscode/src/extension.ts typescript 'await '
