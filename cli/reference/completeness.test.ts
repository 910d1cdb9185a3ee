import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commands } from '../cleat/commands.js';
import { helpText } from '../cleatd/options/help.js';
import { options } from '../cleatd/options/table.js';
import { completions } from './completions.js';
import { manualPages } from './man.js';

/** Every option and command that the programs take is in their help, their man pages and their completions. */
const made = completions();
const pages = await manualPages();
/** Names of options: in zsh and fish they begin with `--` and `-l`; in roff a dash is escaped. */
const holds = (text: string, flag: string): boolean =>
  new RegExp(`(--|-l |\\\\-\\\\-)${flag.replaceAll('-', '\\\\?-')}(?![\\w-])`).test(text);

describe.each(Object.entries(commands))('cleat %s', (name, { options: read, details, ownHelp, verbs = [] }) => {
  test('has all its options in its help, its man page and its completions', async () => {
    const flags = Object.keys({ ...(await read()), help: { type: 'boolean' } });
    const help = (await details?.()) ?? (await ownHelp?.()) ?? '';
    // That every command has --help is said once, of all.
    expect(flags.filter((flag) => flag !== 'help' && !holds(help, flag))).toEqual([]);
    expect(flags.filter((flag) => flag !== 'help' && !holds(pages.get('cleat.1') ?? '', flag))).toEqual([]);
    expect(flags.filter((flag) => !holds(section(made.get('cleat.bash'), name, ';;'), flag))).toEqual([]);
    expect(flags.filter((flag) => !holds(section(made.get('cleat.zsh'), name, ';;'), flag))).toEqual([]);
    const fish = (made.get('cleat.fish') ?? '').split('\n').filter((line) => line.includes(`_from ${name}'`));
    expect(flags.filter((flag) => !holds(fish.join('\n'), flag))).toEqual([]);
    for (const verb of verbs)
      for (const text of made.values()) if (text.includes('log-drivers')) expect(text).toContain(verb);
  });

  test('names no option in its help that it does not take', async () => {
    const taken = [...Object.keys(await read()), 'help'];
    const help = ((await details?.()) ?? '') + ((await ownHelp?.()) ?? '');
    const named = [...help.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([, flag = '']) => flag);
    // Options of the docker CLI and of the engine, where the help speaks of those.
    expect(named.filter((flag) => !taken.includes(flag) && !['driver', 'driver.'].includes(flag))).toEqual([]);
  });
});

test('cleatd has all its options in its help, its man page and its completions', () => {
  const flags = options.filter(({ type }) => type !== 'json').map(({ flag }) => flag);
  expect(flags.length).toBeGreaterThan(90);
  const texts = [
    helpText(),
    pages.get('cleatd.8'),
    ...['bash', 'zsh', 'fish'].map((shell) => made.get(`cleatd.${shell}`)),
  ];
  for (const text of texts) expect(flags.filter((flag) => !holds(text ?? '', flag))).toEqual([]);
  const short = options.flatMap(({ short: one }) => (one === undefined ? [] : [one]));
  for (const letter of short) {
    expect(made.get('cleatd.bash')).toMatch(new RegExp(`[' ]-${letter}[ ']`));
    expect(made.get('cleatd.zsh')).toContain(`'*-${letter}`);
    expect(made.get('cleatd.fish')).toContain(` -s ${letter} `);
  }
});

/** The offers of a shell after some words; bash itself runs what was made. */
function completedByBash(program: string, words: string[]): string[] {
  const file = fileURLToPath(new URL(`../../packaging/completions/${program}.bash`, import.meta.url));
  const script = `. ${file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _${program}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['-c', script, 'bash', program, ...words], { encoding: 'utf8', cwd: '/' });
  return said.split('\n').filter(Boolean);
}

test.each<[string, string[], unknown]>([
  ['cleat', ['rec'], ['record']],
  ['cleat', ['help', 'ver'], ['verify']],
  ['cleat', ['verify', '--plug'], ['--plugin-dir']],
  ['cleat', ['verify', '--plugin-dir', '/pro'], ['/proc']],
  ['cleat', ['verify', '--timeout', ''], []],
  ['cleat', ['extensions', 'insp'], ['inspect']],
  ['cleatd', ['-l', 'w'], ['warn']],
  ['cleatd', ['-p', '/pro'], ['/proc']],
  ['cleatd', ['--live'], ['--live-restore']],
])('bash completes %s %j', (program, words, expected) => {
  expect(completedByBash(program, words)).toEqual(expected);
});

/** From the case of a command to the end of it. */
function section(text: string | undefined, name: string, end: string): string {
  const [, from = ''] = (text ?? '').split(new RegExp(`^ *(?:\\*:)?${name}\\)`, 'm'));
  return from.slice(0, from.indexOf(end));
}
