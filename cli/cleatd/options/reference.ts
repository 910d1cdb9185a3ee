import { defaultText } from './help.js';
import { keyOf, type Option } from './option.js';
import { options } from './table.js';

/** docs/reference/cleatd.md */
export function referencePage(): string {
  const groups = [...new Set(options.map(({ group }) => group))];
  const sections = groups.flatMap((group) => [
    `## ${group}`,
    '',
    '| flag | key in daemon.json | default | |',
    '|---|---|---|---|',
    ...options.filter((one) => one.group === group).map(row),
    '',
  ]);
  return [
    '# cleatd',
    '',
    'Options of the daemon, on the command line and in the configuration file. The same option in both is a start-up',
    'error, except for runtimes, which are merged. Options marked ↻ are applied again by SIGHUP. A flag of type list,',
    'map and the like may be repeated. This page is made from `cli/cleatd/options/`.',
    '',
    ...sections,
  ].join('\n');
}

function row(one: Option): string {
  const key = keyOf(one);
  const flag = one.type === 'json' ? '' : `\`${one.short ? `-${one.short}, ` : ''}--${one.flag}\` ${one.type}`;
  const cells = [flag, key === null ? '' : `\`${key}\``, defaultText(one), `${one.help}${one.reload ? ' ↻' : ''}`];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
