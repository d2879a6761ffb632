# Completion of lanemax for fish. Commands, options and their words are asked of the command's own help.
function __lanemax_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    if test (count $words) -eq 1
        $words[1] --help 2>/dev/null | string match -rg '^  ([a-z]+) +(.*)' | while read -l name; read -l text; printf '%s\t%s\n' $name $text; end
        printf '%s\n' --help --version
        return
    end
    set -l help ($words[1] $words[2] --help 2>/dev/null | sed -n '/^Options:/,/^$/s/^  \(-h,\)\{0,1\}--/--/p')
    set -l last $words[-1]
    set -l before ''
    if string match -qr '^--.*=' -- $word
        set last (string split -m 1 = -- $word)[1]
        set before $last=
    end
    set -l values (string match -rg -- "^$last ([^ =]+)" $help)
    if test -n "$values"; and string match -q -- '--*' $last
        for value in (string match -r '^[a-z0-9_]+$' -- (string split '|' -- $values))
            echo $before$value
        end
        if string match -q '*FILE*' -- $values
            __fish_complete_path (string replace -- "$before" '' $word) | string replace -r '^' -- $before
        else if test "$values" = DIR
            __fish_complete_directories (string replace -- "$before" '' $word) | string replace -r '^' -- $before
        end
        return
    end
    string replace -r '^(--\S+)(?:.*?  +(.*))?.*' '$1\t$2' -- $help
end
complete -c lanemax -f -a '(__lanemax_complete)'
