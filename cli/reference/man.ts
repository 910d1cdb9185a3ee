import { commands } from '../cleat/commands.js';
import { defaultText } from '../cleatd/options/help.js';
import { keyOf, type Option } from '../cleatd/options/option.js';
import { options } from '../cleatd/options/table.js';

/** packaging/man/: manual pages (man(7) macros) by file name, from the tables of options and commands. */
export async function manualPages(): Promise<Map<string, string>> {
  return new Map([
    ['cleatd.8', daemonPage()],
    ['cleat.1', await toolPage()],
  ]);
}

/** Text of ours in roff: backslashes and dashes are the reader's, and a line may not begin with a control character. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/[^\x00-\x7f]/gu, (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase()}]`)
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

const head = (name: string, section: number, about: string): string[] => [
  `.TH ${name.toUpperCase()} ${section} "" Cleat "Cleat manual"`,
  '.SH NAME',
  `${name} \\- ${roff(about)}`,
];

function daemonPage(): string {
  const groups = [...new Set(options.map(({ group }) => group))];
  const described = (group: string): string[] => [
    `.SS ${JSON.stringify(roff(group))}`,
    ...options.filter((one) => one.group === group && one.type !== 'json').flatMap(entry),
  ];
  const signals: [string, string][] = [
    ['SIGTERM, SIGINT', 'Stop containers, unless --live-restore, and end. The third one ends at once.'],
    ['SIGHUP', 'Read the configuration file again. Options marked "reloaded" are applied.'],
    ['SIGUSR1', "Write the engine's state to a file under the exec root."],
  ];
  return lines([
    ...head('cleatd', 8, 'a container engine that serves the Docker Engine API'),
    '.SH SYNOPSIS',
    '.B cleatd',
    '[OPTIONS]',
    '.SH DESCRIPTION',
    roff(
      'cleatd runs containers, and serves the API that docker, Compose and other clients use. Volumes, networks, addresses and logs are extensions. It needs root. Options are also read from a configuration file in JSON, under the key that is given where it differs; the same option in both is an error.',
    ),
    '.SH OPTIONS',
    ...groups.flatMap(described),
    '.SH SIGNALS',
    ...signals.flatMap(([name, what]) => ['.TP', `.B ${roff(name)}`, roff(what)]),
    '.SH FILES',
    ...[
      ['/etc/cleat/daemon.json', 'The configuration file.'],
      ['/var/lib/cleat', 'Images, containers, volumes and networks.'],
      ['/run/cleat', 'What lasts until the next boot.'],
    ].flatMap(([path = '', what = '']) => ['.TP', `.I ${roff(path)}`, roff(what)]),
    '.SH SEE ALSO',
    '.BR cleat (1),',
    '.BR docker (1),',
    '.BR conmon (8),',
    '.BR runc (8)',
  ]);
}

function entry(one: Option): string[] {
  const value = one.type === 'bool' ? '' : ` \\fI${one.type}\\fR`;
  const key = keyOf(one);
  const notes = [
    `${one.help}.`,
    defaultText(one) === '' || one.type === 'bytes' ? '' : `Default: ${defaultText(one)}.`,
    key !== null && key !== one.flag ? `In the file: ${key}.` : '',
    key === null ? 'Not in the file.' : '',
    one.reload ? 'Reloaded.' : '',
  ];
  return [
    '.TP',
    `\\fB${one.short ? `\\-${one.short}, ` : ''}\\-\\-${roff(one.flag)}\\fR${value}`,
    roff(notes.filter(Boolean).join(' ')),
  ];
}

async function toolPage(): Promise<string> {
  const sections: string[] = [];
  for (const { usage, help, details, ownHelp } of Object.values(commands)) {
    sections.push('.TP', `.B ${roff(`cleat ${usage}`)}`, roff(`${help}.`));
    const more = details ? await details() : ((await ownHelp?.()) ?? '').replace(/^Usage: /, '');
    if (more.trim() !== '') sections.push('.RS', '.nf', roff(more.replace(/^\n/, '').trimEnd()), '.fi', '.RE');
  }
  sections.push('.TP', `.B ${roff('cleat help COMMAND')}`, 'Tell what a command does, as \\-\\-help after it does.');
  sections.push('.TP', `.B ${roff('cleat --version')}`, 'Print the version.');
  return lines([
    ...head('cleat', 1, 'the tool for the Cleat engine and its extensions'),
    '.SH SYNOPSIS',
    '.B cleat',
    'COMMAND [OPTIONS]',
    '.SH DESCRIPTION',
    roff(
      'Containers are the business of docker(1). This tool is for the engine itself, and for those who write plugins. Each command tells more with --help.',
    ),
    '.SH COMMANDS',
    ...sections,
    '.SH SEE ALSO',
    '.BR cleatd (8),',
    '.BR docker (1)',
  ]);
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;
