# zsh -f complete.zsh COMPLETION LINE: what is offered for the last word. Zsh's own way there needs a terminal: what the completion calls
# of it prints here.
setopt extended_glob  # as completions have it
completion=$1
words=("${(@s: :)2}")
CURRENT=$#words
compset() { return 1 }
compadd() { print -l -- ${(P)@[-1]} }
_describe() {
  local entry
  for entry in ${(P)@[-1]}; do print -r -- ${entry%%:*}; done
}
_files() { print -l -- consumers_t* }
offer() { source $completion }
offer
