import type { AuditRecord, NewAuditRecord } from '@cleat/protocol/audit';
import type { Caller } from '@cleat/protocol/caller';

/** JSON escapes C0 itself; these a terminal obeys, too, or they make a text read as another one. */
const unfit = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A caller is the same for all requests of its connection. */
const callers = new WeakMap<Caller, string>();

function callerJson(caller: Caller): string {
  let text = callers.get(caller);
  if (text === undefined) {
    text = fit(JSON.stringify(caller));
    callers.set(caller, text);
  }
  return text;
}

/**
 * A record as a line that is fit for a terminal, whatever names clients have chosen. Put together by hand: this is done for
 * each request, and takes a fifth of what `JSON.stringify` and a look at all of it would take.
 * @param lost requests before it that were not written
 */
export function encodeRecord(seq: number, record: NewAuditRecord, lost: number): string {
  const { Time, ID, Caller: caller, Remote, Method, URI, Asked, Route, Container, Decision } = record;
  const { By, Reason, Executed, Changes, Status, DurationMs, Sent } = record;
  let text = `{"Seq":${seq},"Time":"${Time}","Caller":${callerJson(caller)}`;
  if (ID !== undefined) text += `,"ID":"${ID}"`;
  if (Remote !== undefined) text += `,"Remote":"${Remote}"`;
  text += `,"Method":${quoted(Method)},"URI":${quoted(URI)},"Route":${quoted(Route)},"Decision":"${Decision}"`;
  if (Asked !== undefined) text += `,"Asked":${quoted(Asked)}`;
  if (Container !== undefined) text += `,"Container":${fit(JSON.stringify(Container))}`;
  if (By !== undefined) text += `,"By":${quoted(By)}`;
  if (Reason !== undefined) text += `,"Reason":${quoted(Reason)}`;
  if (Executed) text += ',"Executed":true';
  if (Changes !== undefined) text += `,"Changes":${fit(JSON.stringify(Changes))}`;
  return `${text},"Status":${Status},"DurationMs":${DurationMs},"Sent":${Sent}${lost > 0 ? `,"Lost":${lost}` : ''}}\n`;
}

const isSimple = /^[\w/.:{}?&=%-]*$/;

const quoted = (text: string): string => (isSimple.test(text) ? `"${text}"` : fit(JSON.stringify(text)));

/** JSON, fit for a terminal. */
export function printable(record: AuditRecord): string {
  return `${fit(JSON.stringify(record))}\n`;
}

const fit = (json: string): string =>
  json.replace(unfit, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** None when the line is damaged: the others are more useful than a refusal. */
export function decodeRecord(text: string): AuditRecord[] {
  try {
    const record: unknown = JSON.parse(text);
    const isOne = typeof record === 'object' && record !== null && 'Seq' in record && Number.isInteger(record.Seq);
    return isOne ? [record as AuditRecord] : [];
  } catch {
    // A block that the disk did not keep.
    return [];
  }
}
