import type { Kind } from '@cleat/protocol/kinds/kind';
import { readable } from '@cleat/protocol/untrusted';
import type { Said } from './finding.js';

const longest = 1_000;

/** A user's complaint about an error of a plugin, or undefined. */
export function complaintAbout(kind: Kind, said: Said): string | undefined {
  const message = messageIn(kind, said.text);
  if (message === undefined) {
    return said.text.trim() === '' ? `status ${said.status} without a word` : undefined;
  }
  if (typeof message !== 'string') return `${kind.errorKey} is no text: ${JSON.stringify(message)}`;
  if (message.trim() === '') return 'an error without words';
  if (/%!\w?\(/.test(message)) return `a formatting mistake in the error: ${readable(message, 200)}`;
  if (/^\s*at .*:\d+/m.test(message) || /^goroutine \d+|Traceback \(most recent/m.test(message)) {
    return `a stack trace, which every user of the engine would read: ${readable(message, 200)}`;
  }
  if (message.length > longest) return `an error of ${message.length} characters`;
  return undefined;
}

/** Undefined for an error in plain text, which engines show as it is. */
function messageIn(kind: Kind, text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null) return undefined;
    const keys = new Set([kind.errorKey.toLowerCase(), 'err']);
    const member = Object.entries(body).findLast(([key]) => keys.has(key.toLowerCase()));
    return member?.[1] ?? '';
  } catch {
    return undefined;
  }
}
