import type { AuditRecord } from '@cleat/protocol/audit';
import { callerText } from '@cleat/protocol/caller';
import { plain } from '../columns.js';

const dim = (text: string, isTty: boolean): string => (isTty ? `\u001b[2m${text}\u001b[0m` : text);

/** IDs as `docker ps` shows them; JSON has them whole. */
const short = (uri: string): string => uri.replace(/(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/g, '$1');

/** A line for one request, and what is to be told beside it on lines of their own. */
export function recordText(record: AuditRecord, isTty = false): string {
  const { Time, Caller, Method, URI, Decision, Status, DurationMs, By, Reason, Changes, Lost, Executed, Asked } =
    record;
  const status = Status === 0 ? '-' : String(Status);
  const answer = Decision === 'open' ? 'begun' : `${status} ${DurationMs.toFixed(1)} ms`;
  const words = [Time, Decision.padEnd(7), callerText(Caller), `${Method || '(no HTTP)'} ${short(URI)}`, answer];
  const lines = [words.map(plain).join('  ')];
  if (Lost) lines.unshift(dim(`(${Lost} requests before this one could not be recorded)`, isTty));
  const why = [By && `by ${By}`, Reason].filter(Boolean).join(': ');
  if (why !== '') lines.push(dim(`    ${plain(why)}${Executed ? ' (it had been carried out already)' : ''}`, isTty));
  if (Asked) lines.push(dim(`    the client asked for ${plain(short(Asked))}`, isTty));
  for (const { Hook, Path } of Changes ?? []) lines.push(dim(`    ${plain(`${Hook} changed ${Path}`)}`, isTty));
  return `${lines.join('\n')}\n`;
}
