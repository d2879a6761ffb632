# Completion of lanemax for bash. Commands, options and their words are asked of the command's own help.
_lanemax() {
  local program=${1/#\~/$HOME} word=$2 last=$3 help values
  COMPREPLY=()
  if [[ $word == = ]]; then word=; elif [[ $last == = ]]; then last=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if ((COMP_CWORD == 1)); then
    help=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$help --help --version" -- "$word")
    return
  fi
  help=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n '/^Options:/,/^$/s/^  \(-h,\)\{0,1\}--/--/p')
  values=$(sed -n "s/^$last \([^ =]*\).*/\1/p" <<<"$help")
  case $last:$values in
    --*:?*)
      mapfile -t COMPREPLY < <(compgen -W "$(tr '|' '\n' <<<"$values" | grep '^[a-z0-9_]*$')" -- "$word")
      case $values in *FILE*) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word") ;; esac
      case $values in DIR) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;; esac
      compopt -o filenames 2>/dev/null
      ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W "$(sed 's/ .*//' <<<"$help")" -- "$word")
      ;;
  esac
} && complete -F _lanemax lanemax
