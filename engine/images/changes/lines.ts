import { invalidParameter } from '@cleat/protocol/errors';
import { expandWords } from './shell-words.js';

/** An instruction as it stands in a Dockerfile, not yet understood. */
export interface Line {
  /** `ENV`, as it was written. */
  name: string;
  /** `--interval=5s`, quotes removed. */
  flags: string[];
  /** The text after the flags. */
  rest: string;
  /** The whole, continuation lines joined. */
  original: string;
  /** Here-documents: of `ONBUILD RUN`, `ONBUILD COPY` and `ONBUILD ADD`. */
  documents: { name: string; content: string }[];
}

const spaces = /[\t\v\f\r ]+/;
const leadingSpace = /^[\s\u0085]+/u;
const continuation = /([^\\])\\[ \t]*$|^\\[ \t]*$/;
const isComment = (line: string) => line.replace(leadingSpace, '').startsWith('#');

/**
 * Reads a Dockerfile's lines (buildkit `frontend/dockerfile/parser/parser.go`): comments go, a backslash at the end
 * joins lines.
 * @throws InvalidParameter when there is no instruction
 */
export function linesOf(text: string): Line[] {
  const source = text.replace(/^\ufeff/, '').split(/(?<=\n)/);
  refuseOtherEscapes(source);
  const found: Line[] = [];
  while (source.length > 0) {
    const first = trimEnd(source.shift() ?? '').replace(leadingSpace, '');
    if (first === '' || isComment(first)) continue;
    let [line, isWhole] = joined(first);
    while (!isWhole && source.length > 0) {
      const next = trimEnd(source.shift() ?? '');
      if (isComment(next) || next.trim() === '') continue;
      const [more, ends] = joined(next);
      line += more;
      isWhole = ends;
    }
    if (line !== '') found.push(withDocuments(splitLine(line), source));
  }
  if (found.length === 0) throw invalidParameter('file with no instructions');
  return found;
}

/** A parser directive, which stands before everything else. @throws InvalidParameter */
function refuseOtherEscapes(source: readonly string[]): void {
  for (const line of source) {
    const [, name, value] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    if (name === undefined) return;
    if (name.toLowerCase() === 'escape' && value !== '\\') {
      throw invalidParameter(`the parser directive escape=${value} is not supported in changes`);
    }
  }
}

const trimEnd = (line: string) => line.replace(/[\r\n]+$/, '');

function joined(line: string): [text: string, isWhole: boolean] {
  return continuation.test(line) ? [line.replace(continuation, '$1'), false] : [line, true];
}

/** Takes one line apart. */
export function splitLine(original: string): Line {
  const trimmed = original.trim();
  const space = spaces.exec(trimmed);
  if (!space) return { name: trimmed, flags: [], rest: '', original, documents: [] };
  const name = trimmed.slice(0, space.index);
  const { flags, rest } = flagsOf(trimmed.slice(space.index + space[0].length));
  return { name, flags, rest: rest.trim(), original, documents: [] };
}

/** Words at the beginning that start with `--`; `--` alone ends them. */
function flagsOf(text: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let rest = text;
  for (;;) {
    rest = rest.replace(leadingSpace, '');
    if (!rest.startsWith('--')) return { flags, rest };
    const match = /^(?:"(?:\\.|[^"\\])*(?:"|$)|'(?:\\.|[^'\\])*(?:'|$)|\\.|\\$|[^\s"'\\])+/su.exec(rest);
    const raw = match?.[0] ?? rest;
    const word = raw.replace(/\\(.)|\\$|["']/gsu, (_all, escaped?: string) => escaped ?? '');
    rest = rest.slice(raw.length);
    if (word === '--') return { flags, rest };
    flags.push(word);
  }
}

/** ONBUILD may hold an instruction with here-documents, whose lines follow. @throws InvalidParameter */
function withDocuments(line: Line, source: string[]): Line {
  const inner = line.name.toLowerCase() === 'onbuild' ? splitLine(line.rest) : line;
  if (!['run', 'copy', 'add'].includes(inner.name.toLowerCase()) || inner.rest.startsWith('[')) return line;
  for (const word of wordsLeniently(line.original)) {
    const [, dash, name = ''] = /^\d*<<(-?)\s*([^<]+)$/.exec(word) ?? [];
    const [terminator] = name === '' ? [] : expandWords(name, () => undefined);
    if (terminator !== undefined) line.documents.push(takeDocument(terminator, dash === '-', source));
  }
  return line;
}

function wordsLeniently(text: string): string[] {
  // Quotes stay: they say how the document is meant, and the instruction is kept as it is.
  return text.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/gsu) ?? [];
}

function takeDocument(name: string, chomps: boolean, source: string[]): { name: string; content: string } {
  let content = '';
  for (let line = source.shift(); line !== undefined; line = source.shift()) {
    const text = trimEnd(line);
    if ((chomps ? text.replace(/^\t+/, '') : text) === name) return { name, content };
    content += line;
  }
  throw invalidParameter('unterminated heredoc');
}
