# fish --no-config complete.fish COMPLETION LINE: what is offered for the last word.
source $argv[1]
complete -C $argv[2] | string replace -r '\t.*' ''
exit 0  # nothing to replace is no failure
