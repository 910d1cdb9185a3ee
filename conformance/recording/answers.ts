import { readable } from '@cleat/protocol/untrusted';
import type { Aliases } from './aliases.js';
import type { Outcome } from './ask.js';
import { bodyOf, bytesOf, meaningOf } from './body.js';
import { compare, type Rules } from './compare.js';
import { entryValue, StreamPieces } from './entries.js';
import type { Body, Exchange } from './recording.js';

/** Differences between an outcome and the recording, in readable sentences; none when there is no difference. */
export function judge(exchange: Exchange, outcome: Outcome, rules: Rules, aliases: Aliases): string[] {
  const { answer, end } = exchange;
  if (end?.how === 'plugin') {
    return outcome.how === 'broken' ? [] : [`recorded: the plugin hung up; now: ${told(outcome)}`];
  }
  if (end?.how === 'caller') return judgeBegun(exchange, outcome, rules, aliases);
  if (answer === undefined) return [];
  if (answer.streams) return judgeStream(exchange, outcome, rules, aliases);
  const now = bodyOf(outcome.bytes);
  if (outcome.how !== 'whole' || failed(answer.status, answer.body) !== failed(outcome.status, now)) {
    return [`recorded: ${said(answer.status, answer.body)}; now: ${told(outcome)}`];
  }
  const status = answer.status === outcome.status ? [] : [`status: recorded ${answer.status}, now ${outcome.status}`];
  return [...status, ...compared(plain(answer.body), plain(now), rules, aliases)];
}

/** A caller that hung up compares no more than what had come by then; and not whether it would have had an answer. */
function judgeBegun(exchange: Exchange, outcome: Outcome, rules: Rules, aliases: Aliases): string[] {
  const { answer } = exchange;
  if (answer === undefined) {
    return outcome.how === 'broken' ? [`recorded: no answer until the caller hung up; now: ${told(outcome)}`] : [];
  }
  if (outcome.status !== answer.status) return [`recorded: status ${answer.status}; now: ${told(outcome)}`];
  const recorded = pieces(recordedBytes(exchange));
  return compared(recorded, pieces(outcome.bytes).slice(0, recorded.length), rules, aliases);
}

function judgeStream(exchange: Exchange, outcome: Outcome, rules: Rules, aliases: Aliases): string[] {
  const status = exchange.answer?.status ?? 0;
  if (outcome.how !== 'whole' || outcome.status !== status) {
    return [`recorded: status ${status} and a whole stream; now: ${told(outcome)}`];
  }
  return compared(pieces(recordedBytes(exchange)), pieces(outcome.bytes), rules, aliases);
}

function recordedBytes({ more }: Exchange): Buffer {
  return Buffer.concat(more.map(({ body }) => bytesOf(body)));
}

/** A stream as a list of what is in it: log entries, or else the whole as base64. */
function pieces(bytes: Buffer): unknown[] {
  const body = new StreamPieces(true).push(bytes);
  if (body?.form === 'entries') return body.entries.map(entryValue);
  return bytes.length === 0 ? [] : [bytes.toString('base64')];
}

function compared(recorded: unknown, now: unknown, rules: Rules, aliases: Aliases): string[] {
  return compare(recorded, now, rules, aliases).map(
    ({ where, recorded: then, now: today }) => `${where === '' ? '' : `${where}: `}recorded ${then}, now ${today}`,
  );
}

function plain(body: Body | undefined): unknown {
  return meaningOf(body) ?? bytesOf(body).toString('base64');
}

/** As an engine sees it: only 200 is success, and no success has an error in it. */
function failed(status: number, body: Body | undefined): boolean {
  return status !== 200 || errorIn(body) !== '';
}

function errorIn(body: Body | undefined): string {
  const value = meaningOf(body);
  if (typeof value !== 'object' || value === null) return '';
  const [, error] = Object.entries(value).find(([key, text]) => /^err(or)?$/i.test(key) && text !== '') ?? [];
  return typeof error === 'string' ? error : '';
}

/** For people. */
function told(outcome: Outcome): string {
  if (outcome.how === 'whole') return said(outcome.status, bodyOf(outcome.bytes));
  if (outcome.how === 'broken') return `the plugin hung up (${outcome.why})`;
  return outcome.how === 'late' ? outcome.why : 'no answer yet';
}

function said(status: number, body: Body | undefined): string {
  const error = errorIn(body);
  const what = error || (body?.form === 'json' || body?.form === 'text' ? body.text.trim() : '');
  const verb = failed(status, body) ? 'failed with' : 'answered';
  return `${verb} status ${status}${what === '' ? '' : `: ${readable(what, 500)}`}`;
}
