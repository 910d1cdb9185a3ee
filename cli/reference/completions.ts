import { type Completed, daemonOptions, toolCommands } from './program.js';

const origin = (name: string): string => `made from the table of ${name}'s options by npm run docs`;
const long = ({ flag }: Completed): string => `--${flag}`;
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
  const files = daemonOptions.filter(({ value }) => value === 'path').map(long);
  const words = withValue.filter(({ value, choices }) => value === 'word' && !choices).map(long);
  const chosen = daemonOptions.flatMap(({ flag, choices }) =>
    choices ? [`    --${flag}) mapfile -t COMPREPLY < <(compgen -W '${choices.join(' ')}' -- "$word") ;;`] : [],
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
    *) mapfile -t COMPREPLY < <(compgen -W '${daemonOptions.map(long).join(' ')}' -- "$word") ;;
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

function toolBash(): string {
  const cases = toolCommands.map(({ name, words }) => `    ${name}) words='${words.join(' ')}' ;;`);
  return `# Completion of cleat for bash; ${origin('cleat')}.
_cleat() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  case \${COMP_CWORD}:\${COMP_WORDS[1]} in
    1:*) words='${toolCommands.map(({ name }) => name).join(' ')} help --version --help' ;;
${cases.map((line) => line.replace(/^ {4}/, '    *:')).join('\n')}
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
  const cases = toolCommands.map(({ name, words }) => `    ${name}) compadd -- ${words.join(' ')} ;;`);
  return `#compdef cleat
# Completion of cleat for zsh; ${origin('cleat')}.
if (( CURRENT == 2 )); then
  local -a commands=(
${named.join('\n')}
  )
  _describe command commands
else
  case $words[2] in
${cases.join('\n')}
  esac
  _files
fi
`;
}

function toolFish(): string {
  const lines = toolCommands.flatMap(({ name, help, words }) => [
    `complete -c cleat -n __fish_use_subcommand -f -a ${name} -d ${fishText(help)}`,
    ...words.map((word) => {
      const which = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c cleat -n '__fish_seen_subcommand_from ${name}' ${which}`;
    }),
  ]);
  return `# Completion of cleat for fish; ${origin('cleat')}.\n${lines.join('\n')}\n`;
}
