import { type Completed, type CompletedCommand, daemonOptions, toolCommands } from './program.js';

const origin = (name: string): string => `made from the table of ${name}'s options by npm run docs`;
const withValue = daemonOptions.filter(({ value }) => value !== 'none');

/** packaging/completions/: text by file name. */
export function completions(): Map<string, string> {
  return new Map([
    ['cleatd.bash', daemonBash()],
    ['cleatd.zsh', daemonZsh()],
    ['cleatd.fish', daemonFish()],
    ['cleat.bash', toolBash()],
    ['cleat.zsh', toolZsh()],
    ['cleat.fish', toolFish()],
  ]);
}

function daemonBash(): string {
  const files = daemonOptions.filter(({ value }) => value === 'path').flatMap(spellings);
  const words = withValue.filter(({ value, choices }) => value === 'word' && !choices).flatMap(spellings);
  const chosen = daemonOptions.flatMap((one) =>
    one.choices
      ? [
          `    ${spellings(one).join(' | ')}) mapfile -t COMPREPLY < <(compgen -W '${one.choices.join(' ')}' -- "$word") ;;`,
        ]
      : [],
  );
  return `# Completion of cleatd for bash; ${origin('cleatd')}.
_cleatd() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  case $before in
    ${files.join(' | ')})
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
${chosen.join('\n')}
    ${words.join(' | ')}) COMPREPLY=() ;;
    *) mapfile -t COMPREPLY < <(compgen -W '${daemonOptions.flatMap(spellings).join(' ')}' -- "$word") ;;
  esac
}
complete -F _cleatd cleatd
`;
}

function daemonZsh(): string {
  const specs = daemonOptions.map(({ flag, short, help, value, choices }) => {
    const argument =
      value === 'none'
        ? ''
        : choices
          ? `=:${flag}:(${choices.join(' ')})`
          : value === 'path'
            ? `=:${flag}:_files`
            : `=:${flag}:`;
    // A leading * lets it be repeated; most may be.
    const one = (name: string, equals: string): string =>
      `  '*${name}${equals}[${zshText(help)}]${argument.replace('=', '')}'`;
    const names = [one(`--${flag}`, value === 'none' ? '' : '=')];
    if (short) names.push(one(`-${short}`, value === 'none' ? '' : '+'));
    return names.join(' \\\n');
  });
  return `#compdef cleatd
# Completion of cleatd for zsh; ${origin('cleatd')}.
_arguments \\
${specs.join(' \\\n')}
`;
}

/** In single quotes, within brackets of a specification. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&');
}

function daemonFish(): string {
  const lines = daemonOptions.map(({ flag, short, help, value, choices }) => {
    const argument = { none: '', word: ' -x', path: ' -r -F' }[value];
    const chosen = choices ? ` -a '${choices.join(' ')}'` : '';
    return `complete -c cleatd -l ${flag}${short ? ` -s ${short}` : ''}${argument}${chosen} -d ${fishText(help)}`;
  });
  return `# Completion of cleatd for fish; ${origin('cleatd')}.\ncomplete -c cleatd -f\n${lines.join('\n')}\n`;
}

const fishText = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

/** An option in all its spellings, as a word of the command line. */
const spellings = ({ flag, short }: Completed): string[] => [...(short ? [`-${short}`] : []), `--${flag}`];
const words = ({ verbs, options }: CompletedCommand): string => [...verbs, ...options.flatMap(spellings)].join(' ');
/** The options of `cleat` of which this holds, in all their spellings. A name means the same in every command. */
const toolFlags = (holds: (one: Completed) => boolean): string[] => [
  ...new Set(toolCommands.flatMap(({ options }) => options.filter(holds).flatMap(spellings))),
];

function toolBash(): string {
  const cases = toolCommands.map((command) => `    *:${command.name}) words='${words(command)}' ;;`);
  return `# Completion of cleat for bash; ${origin('cleat')}.
_cleat() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words
  case \${COMP_CWORD}:\${COMP_WORDS[1]} in
    1:*) words='${toolCommands.map(({ name }) => name).join(' ')} help --version --help' ;;
    2:help) words='${toolCommands.map(({ name }) => name).join(' ')}' ;;
${cases.join('\n')}
  esac
  case $before in
    ${toolFlags(({ value }) => value === 'path').join(' | ')})
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    ${toolFlags(({ value }) => value === 'word').join(' | ')})
      COMPREPLY=()
      return
      ;;
  esac
  if [[ $word == -* || $COMP_CWORD == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; compgen -f -- "$word")
  fi
}
complete -F _cleat cleat
`;
}

function toolZsh(): string {
  const named = toolCommands.map(({ name, help }) => `    '${name}:${zshText(help)}'`);
  const specs = ({ verbs, options }: CompletedCommand): string[] => [
    ...options.flatMap(({ flag, short, value }) => {
      const argument = value === 'none' ? '' : value === 'path' ? `:${flag}:_files` : `:${flag}:`;
      return [
        `'*--${flag}${value === 'none' ? '' : '='}${argument}'`,
        ...(short ? [`'*-${short}${value === 'none' ? '' : '+'}${argument}'`] : []),
      ];
    }),
    ...(verbs.length > 0 ? [`'1:verb:(${verbs.join(' ')})'`] : []),
    `'*:file:_files'`,
  ];
  const cases = toolCommands.map(
    (command) => `    ${command.name})\n      _arguments ${specs(command).join(' \\\n        ')}\n      ;;`,
  );
  return `#compdef cleat
# Completion of cleat for zsh; ${origin('cleat')}.
if (( CURRENT == 2 )); then
  local -a commands=(
${named.join('\n')}
    'help:Tell more of a command'
  )
  _describe command commands
  compadd -- --version --help
elif [[ $words[2] == help ]]; then
  compadd -- ${toolCommands.map(({ name }) => name).join(' ')}
else
  local command=$words[2]
  # What follows the command is completed as if the command were the program.
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
fi
`;
}

function toolFish(): string {
  const lines = toolCommands.flatMap(({ name, help, verbs, options }) => {
    const here = `complete -c cleat -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c cleat -n __fish_use_subcommand -f -a ${name} -d ${fishText(help)}`,
      `complete -c cleat -n '__fish_seen_subcommand_from help' -f -a ${name}`,
      ...verbs.map((verb) => `${here} -a ${verb}`),
      ...options.map(({ flag, short, value }) => {
        const argument = { none: '', word: ' -x', path: ' -r -F' }[value];
        return `${here} -l ${flag}${short ? ` -s ${short}` : ''}${argument}`;
      }),
    ];
  });
  return `# Completion of cleat for fish; ${origin('cleat')}.
complete -c cleat -n __fish_use_subcommand -f -a help -d ${fishText('Tell more of a command')}
complete -c cleat -n __fish_use_subcommand -l version
complete -c cleat -n __fish_use_subcommand -l help -s h
${lines.join('\n')}
`;
}
