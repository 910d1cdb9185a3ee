import { expandWord } from '../language/expand.js';
import { contentOf, heredocOf } from '../language/heredoc.js';
import type { Instruction } from '../language/instruction.js';
import type { State } from './state.js';

/** Characters of an instruction that somebody reads. */
const maxShown = 16 * 1024;

/** An instruction with its variables replaced, as BuildKit shows it (`dockerfile2llb/convert.go`, `processCmdEnv`). */
export function shownName(instruction: Instruction, { variables }: Pick<State, 'variables'>, token: string): string {
  if (instruction.text.length > maxShown) return instruction.text;
  const isRun = instruction.name === 'RUN';
  const options = isRun ? { escape: token, rawQuotes: true, keepUnset: true } : { escape: token };
  const text = `${instruction.text}${isRun ? documentOf(instruction) : ''}`;
  let shown: string;
  try {
    shown = expandWord(text, (name) => variables.get(name), options);
  } catch {
    // A word that cannot be read is the step's own affair.
    shown = text;
  }
  return shown.replace(/^\S+/, (name) => name.toUpperCase());
}

/** The first line of a document that is the whole command. */
function documentOf({ command, heredocs }: Extract<Instruction, { name: 'RUN' }>): string {
  const [first] = heredocs;
  if (!first || 'list' in command || !heredocOf(command.text)) return '';
  const [line = '', ...more] = contentOf(first).trim().split('\n');
  return ` (${line}${more.length > 0 ? '...' : ''})`;
}

/** An image's name with its registry and tag. */
export function fullReference(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first);
  const path = hasHost ? reference : `docker.io/${rest.length > 0 ? '' : 'library/'}${reference}`;
  return /[:@][^/]*$/.test(path) ? path : `${path}:latest`;
}
