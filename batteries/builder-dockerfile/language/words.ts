import { fault } from './fault.js';
import type { Escape } from './lines.js';

/** An instruction's name, its flags (`--name=value`, quotes taken away), and what follows. */
export interface Command {
  readonly name: string;
  readonly flags: readonly string[];
  readonly rest: string;
}

/** Splits a logical line (BuildKit `parser/split_command.go`). */
export function commandOf(text: string, token: Escape): Command {
  const trimmed = text.trim();
  const [, name = '', after = ''] = /^([^\t\v\f\r ]*)[\t\v\f\r ]*([\s\S]*)$/.exec(trimmed) ?? [];
  const flags: string[] = [];
  let rest = after;
  while (rest.startsWith('--')) {
    const { word, length } = flagAt(rest, token);
    rest = rest.slice(length).trimStart();
    if (word === '--') break;
    flags.push(word);
  }
  return { name, flags, rest: rest.trim() };
}

/** The first word, which is a flag: quotes keep blanks together and go away, as do escape characters. */
function flagAt(text: string, token: Escape): { word: string; length: number } {
  let word = '';
  let quote = '';
  let at = 0;
  for (; at < text.length; at++) {
    const letter = text.charAt(at);
    if (quote === '' && /\s/.test(letter)) break;
    if (letter === quote) quote = '';
    else if (quote === '' && (letter === "'" || letter === '"')) quote = letter;
    else if (letter === token) word += text.charAt(++at);
    else word += letter;
  }
  return { word, length: at };
}

/** Words of ENV, LABEL and ARG: quotes and escapes stay, for they are taken away when variables are replaced. */
export function quotedWords(text: string, token: Escape): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let isWord = false;
  const end = () => {
    if (isWord) words.push(word);
    word = '';
    isWord = false;
  };
  const letters = [...text];
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at] ?? '';
    if (quote === '' && /\s/u.test(letter)) {
      end();
      continue;
    }
    if (letter === token && quote !== "'") {
      const next = letters[++at];
      // At the end of the line it is nothing.
      if (next === undefined) break;
      word += letter + next;
      isWord = true;
      continue;
    }
    if (quote === '' && (letter === "'" || letter === '"')) quote = letter;
    else if (letter === quote) quote = '';
    word += letter;
    isWord = true;
  }
  end();
  return words;
}

export interface Pair {
  readonly key: string;
  readonly value: string;
  /** The old form, `ENV name value`. */
  readonly legacy?: true;
}

/** `name=value …`, or the old `name value`. @throws DockerfileFault */
export function pairsOf(text: string, command: string, token: Escape): Pair[] {
  const words = quotedWords(text, token);
  const [first] = words;
  if (first === undefined) throw fault(`${command} requires at least one argument`);
  if (!first.includes('=')) {
    const [, key, value] = /^([^\t\v\f\r ]*)[\t\v\f\r ]+([\s\S]*)$/.exec(text) ?? [];
    if (key === undefined || value === undefined) throw fault(`${command} must have two arguments`);
    return [{ key, value, legacy: true }];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 0) {
      throw fault(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    }
    if (at === 0) throw fault(`${command} names can not be blank`);
    return { key: word.slice(0, at), value: word.slice(at + 1) };
  });
}

/** Words between blanks, without any rule. */
export function plainWords(text: string): string[] {
  return text === '' ? [] : text.split(/[\t\v\f\r ]+/);
}

/** The list of a JSON form; undefined where the text is none. @throws DockerfileFault for a list of other things */
export function jsonList(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // Then it is the shell form.
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  if (list.every((one): one is string => typeof one === 'string')) return list;
  throw fault('when using JSON array syntax, arrays must be comprised of strings only');
}

/** Fields between commas, as CSV: quotes keep commas. @throws DockerfileFault */
export function csvFields(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/.exec(rest);
    if (!match) throw fault('failed to parse csv mounts: parse error: bare " in non-quoted-field');
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return fields;
    rest = rest.slice(match[0].length);
  }
}
