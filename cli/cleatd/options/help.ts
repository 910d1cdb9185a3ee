import { fitted } from '@cleat/protocol/usage';
import { keyOf, type Option } from './option.js';
import { options } from './table.js';

const about =
  'A container engine that serves the Docker Engine API. Options are also read from the configuration file, under\n' +
  'the key in brackets where it differs; the same option in both is an error.';

/** The text of `--help`, grouped, for a terminal of `width` columns. */
export function helpText(width = 100): string {
  const groups = new Map<string, Option[]>();
  for (const one of options) {
    if (one.type === 'json') continue;
    const group = groups.get(one.group) ?? [];
    group.push(one);
    groups.set(one.group, group);
  }
  const lines = ['Usage: cleatd [OPTIONS]', '', fitted(about, width)];
  for (const [group, members] of groups) {
    lines.push('', fitted(`${group}:`, width));
    for (const one of members) lines.push(...entry(one, width));
  }
  return `${lines.join('\n')}\n`;
}

function entry(one: Option, width: number): string[] {
  const left = `  ${one.short ? `-${one.short}, ` : '    '}--${one.flag}${one.type === 'bool' ? '' : ` ${one.type}`}`;
  const key = keyOf(one);
  const notes = [one.help, key !== null && key !== one.flag ? `[${key}]` : '', defaultNote(one)];
  const words = notes.filter(Boolean).join(' ').split(' ');
  const indent = width < 72 ? 10 : 40;
  const lines = left.length < indent ? [left.padEnd(indent)] : [left, ' '.repeat(indent)];
  for (const word of words) {
    const last = lines.at(-1) ?? '';
    if (last.length + word.length + 1 > width && last.trim() !== '') lines.push(`${' '.repeat(indent)}${word} `);
    else lines[lines.length - 1] = `${last}${word} `;
  }
  return lines.map((line) => line.trimEnd());
}

function defaultNote(one: Option): string {
  const text = defaultText(one);
  // A size's help says it in a form that people read.
  return text === '' || one.type === 'bytes' ? '' : `(default ${text})`;
}

/** An option's default as one would write it; empty for none and for a switch that is off. */
export function defaultText({ default: value }: Option): string {
  if (value === undefined || value === false) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}
